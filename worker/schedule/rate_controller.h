#pragma once

#include <optional>

#include "crds/api/spec.h"
#include "crds/base/clock.h"

namespace millrace::worker {

// Proportional-integral-derivative estimate of the rate at which a job can take records.
//   new rate = latest - P * error - I * backlog - D * change, at least minRate   [records/s]
//   error    = latest - processing rate          processing rate = records / processing delay
//   backlog  = scheduling delay * processing rate / batch interval
//   change   = (error - last error) / seconds since the last update
// Source: Spark's PIDRateEstimator (apache/spark, streaming/scheduler/rate). The first update only
// takes the processing rate. Not updated by batches without records or time. Thread-compatible.
class RateController {
 public:
  RateController(const api::Backpressure& config, Duration batch_interval)
      : config_(config), batch_interval_(batch_interval) {}

  // Other settings from now on; the estimate stays.
  void Configure(const api::Backpressure& config, Duration batch_interval) {
    config_ = config;
    batch_interval_ = batch_interval;
  }
  // A batch completed: `records` in `processing` time after waiting `scheduling` for its turn.
  void Update(TimePoint batch_end, int64_t records, Duration processing, Duration scheduling);
  // Continues at a rate known from before a restart.
  void Resume(double rate) {
    if (rate > 0) rate_ = rate;
  }
  // Records/s over all partitions; nothing before the first estimate or when back-pressure is off.
  std::optional<double> rate() const { return config_.enabled ? rate_ : std::nullopt; }
  // Records one batch may take over `partitions` partitions; 0 for no limit.
  int64_t MaxRecords(int partitions) const;

 private:
  api::Backpressure config_;
  Duration batch_interval_;
  std::optional<double> rate_;
  std::optional<TimePoint> last_update_;
  double last_error_ = 0;
};

}  // namespace millrace::worker
