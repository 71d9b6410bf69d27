#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "worker/client/peer/peer_network.h"
#include "worker/coordination/cluster/leader_core.h"
#include "worker/coordination/cluster/member_core.h"
#include "worker/runtime/cluster/heart.h"
#include "worker/runtime/cluster/work_thread.h"
#include "worker/runtime/cluster/worker_status.h"
#include "worker/schedule/cluster/cluster_engine.h"
#include "worker/schedule/cluster/cluster_plan_maker.h"

namespace millrace::worker {

// Makes a store connection for one thread.
enum class StoreUse { kRecord, kHeartbeat };
using MakeStore = std::function<Result<std::unique_ptr<JobStore>>(StoreUse use)>;

struct WorkerProcessOptions {
  Duration lease = std::chrono::seconds(10);
  Duration grace = std::chrono::seconds(60);  // a hand-over may take so long
  OwnSpec spec;
  int64_t attempts = 3;
  bool bisect = false;
  bool announce_delivery = false;
};

// One worker of a job: member always, leader while it holds the lease. The cores decide, this class
// carries out. Threads: the main loop (Run) owns both cores; a heart beats; one thread for the
// store, one computes, one delivers, one receives. Guarantee: Run returns only when nothing of this
// process writes any more.
class WorkerProcess {
 public:
  // All arguments outlive it. `parts` have no coordinator; its sources are started.
  WorkerProcess(WorkerProcessOptions options, JobParts* parts, ClusterEngine* engine,
                TableVersions* tables, PeerNetwork* network, std::string member,
                JobListener* listener, ClusterListener* cluster_listener);

  // Ok when the job completed, or this worker handed over after `stop`. kAborted: fenced. Others:
  // why the job stopped.
  Status Run(const MakeStore& make_store, std::stop_token stop);
  // Thread-safe.
  WorkerStatus status() const;
  // The hot fields of `spec` count from the next batch on. Thread-safe; comes to nothing when the
  // process ends first.
  void Retune(const api::StreamingJobSpec& spec);

 private:
  void Post(std::function<void()> event);
  void Loop(const std::stop_token& stop);
  void Pump();
  void Do(Action action, uint64_t leader);
  void Do(CallStore action, uint64_t leader);
  void Do(const SendMessage& action);
  void Do(const ReadLedgers& action, uint64_t leader);
  void Do(const EndLeadership& action, uint64_t leader);
  void Do(const TakeOver& action);
  void Do(const ComputeBatch& action);
  void Do(const DeliverOutput& action);
  void Do(const RunProbe& action);
  void Do(const SettleBatch& action);
  void Do(const StopWork& action);
  Result<ClusterEngine::Inheritance> ReadInheritance(const CommitHead& commit);
  void OnWon(const Lease& lease);
  void OnFacts(std::shared_ptr<const JobFacts> facts);
  void OnFrame(const std::string& bytes);
  void NoteLease();
  void NoteReason(const std::string& before);
  void BeginLeaving();
  bool MayEnd() const;
  void End(Status status);
  void Publish();
  void PublishMembers(WorkerStatus* status);

  WorkerProcessOptions options_;
  JobParts* parts_;
  ClusterEngine* engine_;
  TableVersions* tables_;
  PeerNetwork* network_;
  Seat self_;
  JobListener* listener_;
  ClusterListener* cluster_listener_;
  std::unique_ptr<JobStore> store_;         // store thread
  std::unique_ptr<JobStore> engine_store_;  // compute thread

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::function<void()>> events_;  // guarded by mutex_
  mutable std::mutex status_mutex_;
  WorkerStatus status_;  // guarded by status_mutex_

  // Main loop only.
  MemberCore member_;
  std::unique_ptr<ClusterPlanMaker> maker_;
  std::unique_ptr<LeaderCore> leader_;
  uint64_t leader_number_ = 0;
  std::shared_ptr<const JobFacts> facts_;
  LeaseRecord lease_;                // as last read
  MonotonicTime lease_still_since_;  // when it last changed
  MonotonicTime recovering_since_;   // leader: when the reason of a new generation arose
  int64_t epoch_ = 0;                // leader: of its term
  std::string recovery_reason_;
  MonotonicTime next_members_;  // when status shows the members anew
  bool leaving_ = false;
  MonotonicTime leave_until_ = MonotonicTime::max();
  std::optional<Status> ended_;

  std::unique_ptr<Heart> heart_;
  std::unique_ptr<WorkThread> store_thread_;
  std::unique_ptr<WorkThread> compute_thread_;
  std::unique_ptr<WorkThread> output_thread_;
  std::jthread receiver_;
};

}  // namespace millrace::worker
