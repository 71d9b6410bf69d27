#pragma once

#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

// The store's rules in memory: what the scripts of the real one must do, and the store of
// simulations. Copyable, so that a copy can take its place later as a store that went back in time.
// Thread-compatible.
class ModelJobStore final : public JobStore {
 public:
  // One check of a script that a test may leave out, to see that something notices.
  enum class Check {
    kNone,
    kLease,
    kCurrent,
    kOpen,

    kPlanDigest,
    kReports,
    kSuspect,
    kFence,
    kObservedBeat,
    kPlanLimit,
    kKnownCommit
  };
  explicit ModelJobStore(Check left_out = Check::kNone) : left_out_(left_out) {}

  StoreReply Call(const StoreRequest& request) override;

  bool exists() const { return exists_; }
  const JobFacts& facts() const { return facts_; }
  const std::map<std::string, std::string>& offsets() const { return offsets_; }
  void Clear() { *this = ModelJobStore(left_out_); }

 private:
  bool Skips(Check check) const { return left_out_ == check; }
  // kOk, or the first of LOST, HALTED, SUSPECT, STALE, NOT CURRENT that applies.
  StoreReply Guard(bool suspect_matters, const Lease* lease, const std::string* generation,
                   bool must_be_open) const;
  void NoteKnown(const KnownCommit& known);

  StoreReply Do(const InitJob& request);
  StoreReply Do(const ReadJob& request);
  StoreReply Do(const AcquireLease& request);
  StoreReply Do(const RenewLease& request);
  StoreReply Do(const ReleaseLease& request);
  StoreReply Do(const BeatMember& request);
  StoreReply Do(const HaltJob& request);
  StoreReply Do(const NewGeneration& request);
  StoreReply Do(const MarkReady& request);
  StoreReply Do(const OpenGeneration& request);
  StoreReply Do(const AppendPlan& request);
  StoreReply Do(const BeginDelivery& request);
  StoreReply Do(const AmendPlan& request);
  StoreReply Do(const PutPrepared& request);
  StoreReply Do(const CommitBatch& request);
  StoreReply Do(const ReadOffsets& request);
  StoreReply Do(const ReadReports& request);

  Check left_out_;
  bool exists_ = false;
  JobFacts facts_;
  std::map<std::string, std::string> offsets_;
  // (generation, batch) -> slot -> report
  std::map<std::pair<std::string, int64_t>, std::map<int, std::string>> prepared_;
};

}  // namespace millrace::worker
