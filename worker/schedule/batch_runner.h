#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "worker/coordination/cluster/poison_search.h"
#include "worker/exec/executor.h"
#include "worker/schedule/delivery.h"
#include "worker/schedule/job_parts.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

// Takes one planned batch from compute to commit (protocol section 6), and undoes what a failed
// attempt changed. Guarantee: when Run returns ok the batch is committed, and sinks and sources
// know it. Otherwise state, tables and log are as before it, and no reader of an exactly-once sink
// sees anything of it; only an error that says "after commit" leaves it committed, for Recover to
// tell the sinks. Loop thread only; `parts` and `listener` outlive it.
class BatchRunner {
 public:
  BatchRunner(JobParts* parts, JobListener* listener);

  // Restores committed state and opens sinks under the record's generation. kInvalid when state of
  // the record's spec would be lost and upgrade.allowStateLoss is not set, or when an `edited` job
  // would re-plan a batch that is partly written.
  Status Recover(const JobRecord& record, bool edited);

  // Facts of a batch as its tasks see them.
  BatchContext ContextOf(const BatchPlan& plan) const;
  // True when some unit has a window, timeout or expiry due.
  bool HasWork(const BatchContext& context) const;

  // Runs the appended plan until it commits: failed attempts are repeated as poisonBatch and
  // restartPolicy say. kAborted when `stop` ended a wait between attempts. `rate` goes into the
  // commit record.
  Result<BatchInfo> Run(BatchPlan plan, double rate, std::stop_token stop);

  const CommitPoint& commit() const { return commit_; }
  // Largest event times that the last batch reported, by source and partition.
  const std::vector<std::map<int, TimePoint>>& event_times() const { return event_times_; }

 private:
  friend class Bisector;

  Status Attempt(const BatchPlan& plan, BatchInfo* info);
  Status Prepare(const BatchPlan& plan);
  Status Output(const BatchPlan& plan, BatchRun* run, BatchInfo* info);
  Status PutState(const BatchRun& run);
  Status CommitBatch(const BatchPlan& plan, const BatchRun& run);
  void Undo(const BatchRun& run);
  Status RestoreUnit(int stage, int unit);
  Status Announce(const std::stop_token& stop);
  Status WaitAfter(const Status& failure, int64_t attempt, int64_t batch,
                   const std::stop_token& stop);
  Status AfterFailure(const Status& failure, int64_t attempt, BatchPlan* plan,
                      const std::stop_token& stop);
  Status OpenSinks(const JobRecord& record, bool edited);
  Result<SinkLedger> OpenSink(Sink* sink);
  Status CheckHistory(const std::string& sink, const SinkLedger& ledger) const;
  Status CheckAhead(const std::string& sink, int64_t delivered, const JobRecord& record,
                    bool edited) const;
  Status CheckShape(const JobRecord& record, std::vector<std::string>* kept);
  Status DropState(const std::vector<std::string>& kept);
  void FillInfo(const BatchRun& run, BatchInfo* info) const;

  JobParts* parts_;
  JobListener* listener_;
  BatchExecutor executor_;
  Delivery delivery_;
  CommitPoint commit_;
  std::string generation_;
  double rate_ = 0;
  std::vector<std::map<int, TimePoint>> event_times_;
};

// Runs what a search for the records that make a batch fail asks for, without output. Loop thread
// only.
class Bisector {
 public:
  explicit Bisector(BatchRunner* runner) : runner_(runner) {}
  // The finished search: with a plan that succeeds, or why there is none.
  Result<PoisonSearch> Search(const BatchPlan& plan, const Status& failure);

 private:
  Result<std::vector<RangeRecords>> CountRecords(const BatchPlan& plan) const;
  // Runs the first records of the batch and undoes it.
  Status Probe(const BatchPlan& plan, const std::vector<RangeRecords>& limits);

  BatchRunner* runner_;
};

}  // namespace millrace::worker
