#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "worker/schedule/batch_planner.h"
#include "worker/schedule/batch_runner.h"
#include "worker/schedule/job_parts.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

struct SchedulerOptions {
  std::optional<Duration> until_idle;  // stop after so long without new input
  std::optional<int64_t> max_batches;  // stop after so many batches
};

// The life of an embedded job: tick, plan, run, commit, until its sources end or it is told to
// stop. One thread does all of it; tasks run on the pool of `parts`. Guarantee: between batches
// everything that happened is committed, so stopping at any point loses and repeats nothing.
class Scheduler {
 public:
  // `parts` and `listener` outlive it. Requires: the coordinator of `parts` is open.
  Scheduler(JobParts* parts, SchedulerOptions options, JobListener* listener);

  // Opens the job and runs it. Ok when the job completed, the options' limit was reached, or `stop`
  // was requested (the batch in work is finished first). Errors say what ended the job.
  Status Run(std::stop_token stop);
  // True when all sources ended and the last batch committed.
  bool completed() const { return completed_; }

 private:
  Status Open();
  Status RunPlanned(const BatchPlan& plan, std::stop_token stop);
  void Report();
  // The next batch when there is anything to act on.
  Result<std::optional<BatchPlan>> PlanNext();
  bool WaitForTick(const std::stop_token& stop);
  bool LimitReached() const;

  JobParts* parts_;
  SchedulerOptions options_;
  JobListener* listener_;
  BatchRunner runner_;
  std::string spec_hash_;
  BatchPlanner planner_;
  std::optional<BatchPlan> pending_;
  int64_t batches_ = 0;
  int64_t lag_records_ = -1;
  MonotonicTime last_input_;
  MonotonicTime due_;
  bool ended_ = false;  // every source ended; only the final batch is left
  bool completed_ = false;
};

}  // namespace millrace::worker
