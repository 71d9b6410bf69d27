#pragma once

#include <memory>

#include "worker/schedule/listener.h"
#include "worker/sink/console/screen.h"

namespace millrace::worker {

// The live line of `millrace run`: batch, records/s, lag, state size, rewritten after every batch.
// Loop thread only.
class StatusLine final : public JobListener {
 public:
  StatusLine(std::shared_ptr<Screen> screen, const Clock* clock)
      : screen_(std::move(screen)), clock_(clock) {}
  void OnBatchCommitted(const BatchInfo& info) override;
  void OnBatchFailed(int64_t batch, int attempt, const Status& status) override;
  void OnIdle(int64_t lag_records) override;

 private:
  void Show();

  std::shared_ptr<Screen> screen_;
  const Clock* clock_;
  int64_t batch_ = 0;
  int64_t records_ = 0;
  int64_t lag_ = -1;
  int64_t state_bytes_ = 0;
  double rate_ = 0;  // records/s, smoothed
  Duration delay_{0};
  MonotonicTime last_{};
};

// "12.3 k", "4.56 M": three digits.
std::string ShortCount(double value);
// "512 B", "3.4 MiB".
std::string ShortBytes(int64_t bytes);

}  // namespace millrace::worker
