#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/exec/executor.h"
#include "worker/schedule/batch_timer.h"
#include "worker/schedule/job_parts.h"
#include "worker/schedule/rate_controller.h"
#include "worker/schedule/watermark_tracker.h"

namespace millrace::worker {

// Hash of what a job's batches compute and of the engine's semantics: a plan of another hash is not
// replayed. Hot fields, the number of workers and the place of the state do not count.
std::string SpecHashOf(const api::StreamingJob& job);

// A batch that could be planned now.
struct PlanDraft {
  BatchPlan plan;
  bool idle = false;         // nothing to read, no cursor that must become durable
  bool ended = false;        // every source ended behind it
  int64_t lag_records = -1;  // known records that it leaves, -1 unknown
};

// Decides what a batch reads: asks the sources what they have, bounds it by the rate controller,
// and gives time and watermarks. Knows history up to the last plan, committed or not.
// Thread-compatible; `parts` outlives it.
class BatchPlanner {
 public:
  BatchPlanner(JobParts* parts, std::string spec_hash);

  // Goes on from a commit; plans beyond it are forgotten.
  void Resume(const CommitPoint& commit);
  // The hot fields of the job were edited: batches from the next one on follow them.
  void Retune();
  // The next batch at the clock's time; nothing changes until Planned.
  Result<PlanDraft> Draft(int64_t batch);
  // `plan` is in the plan log: the next one begins where it ends.
  void Planned(const BatchPlan& plan);
  // Nothing arrived in the ticks that were missed: the time of the latest one, where windows may
  // close.
  TimePoint SkipToLatest();
  // A tick passed without a batch.
  void Passed(TimePoint batch_time) { timer_.Ran(batch_time); }
  Duration UntilDue() const { return timer_.UntilDue(parts_->clock->Now()); }

  // A batch committed: event times it found, by source and partition, and how long it took.
  void Committed(const std::vector<std::map<int, TimePoint>>& event_times, int64_t records,
                 Duration processing, Duration scheduling);
  double rate() const { return rates_.rate().value_or(0); }
  SourcePosition PositionOf(const std::string& source) const;

 private:
  Status Offer(size_t source, int64_t limit, PlanDraft* draft);
  int Partitions() const;

  JobParts* parts_;
  std::string spec_hash_;
  RateController rates_;
  WatermarkTracker watermarks_;
  BatchTimer timer_;
  std::map<std::string, CommittedSource> sources_;  // where the last plan ends
};

// Largest event time of each partition that a run read, by source; min() where no record had one.
std::vector<std::map<int, TimePoint>> EventTimesOf(const JobGraph& graph, size_t sources,
                                                   const BatchRun& run);

// The commit record after `plan`, whose tasks found `event_times`.
CommitPoint CommitAfter(const CommitPoint& before, const BatchPlan& plan,
                        const std::vector<std::map<int, TimePoint>>& event_times);

}  // namespace millrace::worker
