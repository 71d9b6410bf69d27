#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace millrace {

// Microseconds are the resolution of all times in records, plans and state (years -290,308 to
// 294,247).
using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::sys_time<Duration>;
// A point on the clock that never steps; only differences mean anything.
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// The only way to time and waiting. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall clock, UTC; may step.
  virtual TimePoint Now() const = 0;
  virtual MonotonicTime Monotonic() const = 0;
  // Blocks until `deadline` or until `stop` is requested; returns false when stopped.
  virtual bool SleepUntil(MonotonicTime deadline, std::stop_token stop) = 0;
  bool SleepFor(Duration duration, std::stop_token stop) {
    return SleepUntil(Monotonic() + duration, std::move(stop));
  }
};

// The machine's clocks. Thread-safe; lives as long as the process.
class SystemClock final : public Clock {
 public:
  TimePoint Now() const override;
  MonotonicTime Monotonic() const override;
  bool SleepUntil(MonotonicTime deadline, std::stop_token stop) override;
};

// A clock that moves only when told; sleeping advances it at once. Thread-safe. For tests.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimePoint start) : now_(start) {}
  TimePoint Now() const override;
  MonotonicTime Monotonic() const override;
  bool SleepUntil(MonotonicTime deadline, std::stop_token stop) override;
  void Advance(Duration duration);
  // Steps the wall clock only, as an operator or NTP would.
  void StepWall(Duration duration);

 private:
  mutable std::mutex mutex_;
  TimePoint now_;
  Duration elapsed_{0};
};

}  // namespace millrace
