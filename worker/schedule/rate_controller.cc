#include "worker/schedule/rate_controller.h"

#include <algorithm>
#include <cmath>

namespace millrace::worker {
namespace {

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

void RateController::Update(TimePoint batch_end, int64_t records, Duration processing,
                            Duration scheduling) {
  if (records <= 0 || processing <= Duration::zero()) return;
  if (last_update_ && batch_end <= *last_update_) return;
  const double processing_rate = static_cast<double>(records) / Seconds(processing);
  if (!last_update_ || !rate_) {
    rate_ = std::max(processing_rate, config_.min_rate);
    last_error_ = 0;
    last_update_ = batch_end;
    return;
  }
  const double elapsed = Seconds(batch_end - *last_update_);
  const double error = *rate_ - processing_rate;
  const double backlog = Seconds(scheduling) * processing_rate / Seconds(batch_interval_);
  const double change = (error - last_error_) / elapsed;
  rate_ = std::max(*rate_ - config_.pid.proportional * error - config_.pid.integral * backlog -
                       config_.pid.derivative * change,
                   config_.min_rate);
  last_error_ = error;
  last_update_ = batch_end;
}

int64_t RateController::MaxRecords(int partitions) const {
  if (!config_.enabled) return 0;
  const double rate = rate_.value_or(config_.initial_rate * partitions);
  return std::max<int64_t>(1, std::llround(rate * Seconds(batch_interval_)));
}

}  // namespace millrace::worker
