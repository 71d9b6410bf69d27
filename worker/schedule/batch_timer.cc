#include "worker/schedule/batch_timer.h"

#include <algorithm>

namespace millrace::worker {

BatchTimer::BatchTimer(Duration interval, api::StreamingJobSpec::MissedBatches missed,
                       TimePoint last)
    : interval_(interval), missed_(missed), last_(last) {
  if (last != TimePoint::min()) last_ = Floor(last);
}

TimePoint BatchTimer::Floor(TimePoint time) const {
  const auto ticks = std::chrono::floor<Duration>(time).time_since_epoch() / interval_;
  return TimePoint(ticks * interval_);
}

TimePoint BatchTimer::Next(TimePoint now) const {
  const TimePoint latest = Floor(now);
  if (last_ == TimePoint::min()) return latest;
  const TimePoint following = last_ + interval_;
  if (missed_ == api::StreamingJobSpec::MissedBatches::kReplay) return following;
  return std::max(following, latest);
}

Duration BatchTimer::UntilDue(TimePoint now) const {
  if (last_ == TimePoint::min()) return Duration::zero();
  // At most one interval ahead, so that a wall clock that went back does not stop the job.
  return std::clamp(last_ + interval_ - now, Duration::zero(), interval_);
}

void BatchTimer::SkipTo(TimePoint now) {
  if (last_ != TimePoint::min()) last_ = std::max(last_, Floor(now) - interval_);
}

}  // namespace millrace::worker
