#include "crds/base/clock.h"

namespace millrace {

TimePoint SystemClock::Now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

MonotonicTime SystemClock::Monotonic() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

bool SystemClock::SleepUntil(MonotonicTime deadline, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_until(lock, stop, deadline, [] { return false; });
  return !stop.stop_requested();
}

TimePoint ManualClock::Now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

MonotonicTime ManualClock::Monotonic() const {
  std::lock_guard lock(mutex_);
  return MonotonicTime(elapsed_);
}

bool ManualClock::SleepUntil(MonotonicTime deadline, std::stop_token stop) {
  std::lock_guard lock(mutex_);
  const Duration step = deadline.time_since_epoch() - elapsed_;
  if (step > Duration::zero()) {
    elapsed_ += step;
    now_ += step;
  }
  return !stop.stop_requested();
}

void ManualClock::Advance(Duration duration) {
  std::lock_guard lock(mutex_);
  now_ += duration;
  elapsed_ += duration;
}

void ManualClock::StepWall(Duration duration) {
  std::lock_guard lock(mutex_);
  now_ += duration;
}

}  // namespace millrace
