#include "operator/queue/key_queue.h"

#include <algorithm>

namespace millrace::controller {

KeyQueue::KeyQueue(KeyQueueOptions options)
    : options_(options),
      retries_(options.retry_interval, options.retry_burst),
      random_(options.seed) {}

void KeyQueue::Add(const std::string& key) {
  if (!waiting_.insert(key).second || working_.contains(key)) return;
  ready_.push_back(key);
}

void KeyQueue::AddAt(const std::string& key, MonotonicTime time) {
  const auto [known, added] = due_of_.emplace(key, time);
  if (!added) {
    if (known->second <= time) return;
    due_.erase({known->second, key});
    known->second = time;
  }
  due_.emplace(time, key);
}

Duration KeyQueue::Retry(const std::string& key, MonotonicTime now) {
  const Duration own = BackoffDelay(options_.backoff, ++failures_[key], random_());
  const Duration wait = std::max(own, retries_.Reserve(now));
  AddAt(key, now + wait);
  return wait;
}

void KeyQueue::MoveDue(MonotonicTime now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string key = due_.begin()->second;
    due_.erase(due_.begin());
    due_of_.erase(key);
    Add(key);
  }
}

std::optional<std::string> KeyQueue::Take(MonotonicTime now) {
  MoveDue(now);
  if (ready_.empty()) return std::nullopt;
  std::string key = std::move(ready_.front());
  ready_.pop_front();
  waiting_.erase(key);
  working_.insert(key);
  return key;
}

void KeyQueue::Done(const std::string& key) {
  if (working_.erase(key) > 0 && waiting_.contains(key)) ready_.push_back(key);
}

std::optional<MonotonicTime> KeyQueue::NextDue() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

int64_t KeyQueue::failures(const std::string& key) const {
  const auto it = failures_.find(key);
  return it == failures_.end() ? 0 : it->second;
}

}  // namespace millrace::controller
