#pragma once

#include "crds/api/spec.h"
#include "crds/base/clock.h"

namespace millrace::worker {

// Batch times: multiples of the interval since the epoch, strictly increasing. Pure arithmetic;
// thread-compatible.
class BatchTimer {
 public:
  BatchTimer(Duration interval, api::StreamingJobSpec::MissedBatches missed, TimePoint last);

  // Time of the next batch if one were planned at `now`: the latest tick, or with Replay the tick
  // after the last batch when ticks were missed. Always after the last batch, also when the wall
  // clock went back.
  TimePoint Next(TimePoint now) const;
  // How long to wait until the next tick is due; zero when it is.
  Duration UntilDue(TimePoint now) const;
  void Ran(TimePoint batch_time) { last_ = batch_time; }
  // Missed ticks had nothing to act on: the next batch is that of the latest tick.
  void SkipTo(TimePoint now);
  TimePoint last() const { return last_; }

 private:
  TimePoint Floor(TimePoint time) const;

  Duration interval_;
  api::StreamingJobSpec::MissedBatches missed_;
  TimePoint last_;  // tick of the last batch; a batch of another interval lies behind its tick here
};

}  // namespace millrace::worker
