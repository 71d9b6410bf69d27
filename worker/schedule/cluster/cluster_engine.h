#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "worker/coordination/cluster/actions.h"
#include "worker/coordination/cluster/ledger_verdict.h"
#include "worker/coordination/redis/redis_state_log.h"
#include "worker/exec/exchange.h"
#include "worker/exec/executor.h"
#include "worker/schedule/cluster/cluster_listener.h"
#include "worker/schedule/cluster/slot_facts.h"
#include "worker/schedule/delivery.h"
#include "worker/schedule/job_parts.h"

namespace millrace::worker {

// The way to the other workers of a generation.
class BatchPorts {
 public:
  virtual ~BatchPorts() = default;
  // A generation begins: ports of the one before are gone. Called before the worker is Ready.
  virtual void Begin(const Generation& generation, int slot) = 0;
  // The port of one batch; its waits end when `stop` is requested.
  virtual std::unique_ptr<ExchangePort> Open(int64_t batch, std::stop_token stop) = 0;
};

// One worker's share of a job's batches: takes over units, computes, writes deltas, delivers. The
// member core says what to do; this class does it, blocking. Guarantee: nothing of a batch is
// visible before Deliver; whatever TakeOver interrupts leaves no trace but blobs that no report
// names.
// Threads: TakeOver and Compute from one thread, Deliver and Settle from another (or the same);
// Cancel and StateOf from any. While Deliver of b runs, Compute of b+1 may. `parts` and the rest
// outlive it.
class ClusterEngine {
 public:
  ClusterEngine(JobParts* parts, RedisStateLog* state, TableVersions* tables, BatchPorts* ports,
                ClusterListener* listener);

  // Ends what is under way for an older generation; calls that block return soon.
  void Cancel();
  // What of the last commit's state a slot goes on from.
  struct Inheritance {
    CommitPoint commit;
    std::map<std::string, std::string> reports;  // slot -> report of that commit
    // Stages whose state is kept where another spec wrote it; none: all. What others left is
    // forgotten with the next commit.
    std::optional<std::vector<std::string>> kept;
  };
  // Restores the slot's state as of the commit and fences the sinks.
  Status TakeOver(const worker::TakeOver& action, const Inheritance& from);
  Status Compute(const std::string& generation, const PlanEntry& plan);
  // How many records each of the slot's ranges of a plan has.
  Status CountRecords(const std::string& generation, const PlanEntry& plan,
                      std::vector<RangeRecords>* counts);
  // Runs the tasks over the first records of the plan's ranges. Nothing of it is stored or
  // delivered, and the state in memory is spoilt: TakeOver must follow.
  Status Probe(const std::string& generation, const PlanEntry& plan,
               const std::vector<RangeRecords>& limits);
  // Deletes what no state needs any more, now and then; from the thread that computes.
  void Sweep();
  struct Output {
    Status status;
    std::string report;
    std::string facts;
  };
  Output Deliver(const DeliverOutput& action);
  // The batch is committed: sinks show it.
  Status Settle(const CommitHead& commit);
  // For the leader, when every slot has fenced.
  Result<LedgerFacts> ReadLedgers();

 private:
  struct Work {
    BatchPlan plan;
    std::unique_ptr<ExchangePort> port;
    BatchRun run;
    std::string report;
    SlotFacts facts;
    SlotBatch slot;
  };
  Status Load(const Inheritance& from, TakeOverProgress* progress);
  Status Restore();
  std::stop_token StopOfWork();
  Status OpenSinks(const worker::TakeOver& action);
  Status ForEachSink(const std::function<Status(size_t)>& work);
  BatchContext ContextOf(const BatchPlan& plan) const;
  Status Prepare(const BatchPlan& plan);
  Status StoreState(const BatchRun& run);
  SlotFacts FactsOf(const Work& work) const;
  std::shared_ptr<Work> Find(int64_t batch);

  JobParts* parts_;
  RedisStateLog* state_;
  TableVersions* tables_;
  BatchPorts* ports_;
  ClusterListener* listener_;
  ThreadPool output_pool_{1};
  BatchExecutor executor_;
  BatchExecutor output_executor_;
  Delivery delivery_;

  std::mutex mutex_;
  std::stop_source work_stop_;                      // guarded by mutex_
  std::map<int64_t, std::shared_ptr<Work>> works_;  // guarded by mutex_
  std::atomic<int64_t> committed_{0};
  MonotonicTime next_sweep_;  // as all below, of the thread that computes
  Generation generation_;
  int slot_ = 0;
  TimePoint last_batch_time_ = TimePoint::min();      // of the last computed batch
  std::map<std::string, TimePoint> last_watermarks_;  // by source
};

}  // namespace millrace::worker
