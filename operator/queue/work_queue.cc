#include "operator/queue/work_queue.h"

#include <algorithm>
#include <utility>

namespace millrace::controller {

void WorkQueue::Add(const std::string& key) {
  const std::lock_guard lock(mutex_);
  keys_.Add(key);
  changed_.notify_one();
}

void WorkQueue::AddAfter(const std::string& key, Duration wait) {
  const std::lock_guard lock(mutex_);
  keys_.AddAt(key, clock_->Monotonic() + wait);
  changed_.notify_one();
}

Duration WorkQueue::Retry(const std::string& key) {
  const std::lock_guard lock(mutex_);
  changed_.notify_one();
  return keys_.Retry(key, clock_->Monotonic());
}

void WorkQueue::Forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  keys_.Forget(key);
}

std::optional<std::string> WorkQueue::Take(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const MonotonicTime now = clock_->Monotonic();
    if (std::optional<std::string> key = keys_.Take(now)) return key;
    const Duration until = keys_.NextDue().value_or(now + kLongestNap) - now;
    bool seen = false;  // any notification wakes
    changed_.wait_for(lock, stop, std::min(until, kLongestNap),
                      [&] { return std::exchange(seen, true); });
  }
  return std::nullopt;
}

std::optional<std::string> WorkQueue::TryTake() {
  const std::lock_guard lock(mutex_);
  return keys_.Take(clock_->Monotonic());
}

void WorkQueue::Done(const std::string& key) {
  const std::lock_guard lock(mutex_);
  keys_.Done(key);
  changed_.notify_one();
}

size_t WorkQueue::ready() const {
  const std::lock_guard lock(mutex_);
  return keys_.ready();
}

}  // namespace millrace::controller
