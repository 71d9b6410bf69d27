#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/reconcile/world.h"

namespace millrace::controller {

// What one worker's /status says, as far as it is used.
struct WorkerAnswer {
  std::string revision;  // of the pod, which the answer itself does not know
  bool leading = false;
  int64_t epoch = 0;
  bool completed = false;
  std::string halt;  // how the job ended, if not well
  int64_t committed_batch = 0;
  int64_t lag_records = -1;  // -1: not known
  int64_t partitions = 0;
  struct Batch {
    int64_t number = 0;
    TimePoint time;
    int64_t input_records = 0;
    Duration scheduling_delay{0}, processing{0}, compute{0}, output{0};
  };
  std::vector<Batch> batches;  // newest first
  struct Failure {
    TimePoint time;
    std::string message;
  };
  std::vector<Failure> failures;  // newest first
};
Result<WorkerAnswer> ReadWorkerAnswer(std::string_view json);

// The answer that speaks for the job: the leader's of the highest epoch, else that of the furthest
// batch. None of none. Pure.
std::optional<WorkerAnswer> ForJob(std::vector<WorkerAnswer> answers);

// Follows one job's answers from poll to poll. Thread-compatible.
class ProgressTracker {
 public:
  // Shorter stretches say too little about a rate.
  static constexpr Duration kLeastWindow = std::chrono::seconds(30);
  // A report outlives silence for so long: a busy worker may miss a question.
  static constexpr Duration kPatience = std::chrono::seconds(30);

  // Takes the newest answer; `unschedulable` pods find no node. None: nobody answers.
  void Take(const std::optional<WorkerAnswer>& answer, int64_t unschedulable, TimePoint now);

  // Somebody was asked since the tracker was made: no report means that nobody answers.
  bool asked() const { return asked_; }
  const std::optional<WorkerReport>& report() const { return report_; }
  const std::optional<LoadWindow>& load() const { return load_; }

 private:
  std::optional<LoadWindow> WindowOf(const WorkerAnswer& answer, int64_t unschedulable);

  bool asked_ = false;
  TimePoint answered_;  // when the report was heard
  std::optional<WorkerReport> report_;
  std::optional<LoadWindow> load_;
  std::optional<TimePoint> window_end_;  // of the last window
  int64_t window_lag_ = 0;
};

}  // namespace millrace::controller
