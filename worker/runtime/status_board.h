#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/clock.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

// What /status, /healthz and /readyz say: the job, its last batches with ranges and delays, and its
// errors, as JSON. Written by the scheduler's thread, read by any. Thread-safe.
class StatusBoard final : public JobListener {
 public:
  static constexpr size_t kKeptBatches = 100;
  static constexpr size_t kKeptErrors = 20;

  // `stalled_after`: a job with input and without a commit for so long is not healthy.
  StatusBoard(std::string job, Duration batch_interval, Duration stalled_after, const Clock* clock);

  void OnBatchCommitted(const BatchInfo& info) override;
  void OnBatchFailed(int64_t batch, int attempt, const Status& status) override;
  void OnIdle(int64_t lag_records) override;
  // This process does not lead the job, but knows how far it is: a sign of life, too.
  void OnFollow(int64_t committed_batch);
  // Adds a member to the JSON; `json` makes its value and is thread-safe. Before others use the
  // board.
  void AddSection(std::string name, std::function<std::string()> json);
  // The job's settings were edited.
  void Retune(Duration batch_interval, Duration stalled_after);
  // The job ended; `status` says how.
  void SetEnded(const Status& status);

  std::string Json() const;
  // Something happened (a commit or an idle tick) within `stalled_after`.
  bool Healthy() const;
  // At least one batch committed or one tick passed.
  bool Ready() const;

 private:
  void Touch();

  const std::string job_;
  const Clock* clock_;
  std::vector<std::pair<std::string, std::function<std::string()>>> sections_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  Duration batch_interval_;
  Duration stalled_after_;
  TimePoint started_;
  MonotonicTime last_sign_of_life_;
  bool ready_ = false;
  int64_t committed_batch_ = 0;
  int64_t records_ = 0;
  int64_t state_bytes_ = 0;
  int64_t lag_records_ = -1;
  double rate_ = 0;
  std::string ended_;
  std::deque<std::string> batches_;  // JSON objects, newest first
  std::deque<std::string> errors_;
};

}  // namespace millrace::worker
