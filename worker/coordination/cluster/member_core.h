#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/coordination/cluster/actions.h"

namespace millrace::worker {

// A worker's part in generations and batches (protocol sections 5 and 6), whoever leads.
//
//   kIdle        no seat in any generation
//   kTakingOver  a generation gave it a seat: older work ends, state is restored, sinks are fenced
//   kReady       said Ready; waits for Open, or runs one probe of a failing batch and is never
//   opened kOpen        runs batches, each: waiting -> computing -> computed -> delivering ->
//   delivered -> prepared -> committed
//
// Guarantee: one batch is computed at a time, in order; output of b begins only after Deliver(b) of
// the current generation, when b - 1 is known to be committed; a report is written only after the
// output. Answers repeated messages again. Loop thread only.
class MemberCore {
 public:
  enum class State { kIdle, kTakingOver, kReady, kOpen };

  MemberCore(Seat self, Duration retry);

  void OnMessage(const Message& message, MonotonicTime now);
  void OnTakenOver(const std::string& generation, const Status& status, MonotonicTime now);
  void OnComputed(const std::string& generation, int64_t batch, const Status& status,
                  MonotonicTime now);
  void OnDelivered(const std::string& generation, int64_t batch, const Status& status,
                   std::string report, std::string facts, MonotonicTime now);
  void OnProbed(const std::string& generation, int64_t batch, const Status& status,
                std::vector<RangeRecords> counts);
  // What the store says, read now and then: makes up for lost messages.
  void OnFacts(const JobFacts& facts, MonotonicTime now);
  void OnTimer(MonotonicTime now);
  MonotonicTime next_timer() const { return retry_ ? retry_at_ : leave_at_; }
  // Asks the leader to plan without this member.
  void Leave(MonotonicTime now);
  // After Leave: no generation counts on this member any more.
  bool left() const { return leaving_ && state_ == State::kIdle; }

  State state() const { return state_; }
  KnownCommit known() const { return {commit_.batch, commit_.digest}; }
  const Generation& generation() const { return generation_; }
  int slot() const { return slot_; }
  std::vector<Action> TakeActions();

 private:
  struct Work {
    enum class Step {
      kWaiting,
      kComputing,
      kComputed,
      kDelivering,
      kDelivered,
      kPrepared
    } step = Step::kWaiting;
    PlanEntry plan;
    std::string report;
    std::string facts;
  };

  void Call(StoreRequest request, std::function<void(const StoreReply&, MonotonicTime)> done);
  void Tell(decltype(Message::body) body);
  void Retry(std::function<void(MonotonicTime)> again, MonotonicTime now);
  void Fail(int64_t batch, const Status& status);
  void Drop();
  bool Refuse(const std::string& generation, const std::string& leader);

  void Handle(const GenerationMade& body, const std::string& leader);
  void Handle(const GenerationOpened& body, MonotonicTime now);
  void Handle(const RunBatch& body, MonotonicTime now);
  void Handle(const DeliverBatch& body, MonotonicTime now);
  void Handle(const BatchCommitted& body, MonotonicTime now);
  void Handle(const ProbeBatch& body, const std::string& leader);
  void Verify(const GenerationMade& body, const std::string& leader);
  void Adopt(const GenerationMade& body, const std::string& leader);
  void MarkReadyNow();
  void ComputeNext();
  void PutReport(int64_t batch);
  void Settle(const CommitHead& commit);

  Seat self_;
  Duration retry_delay_;
  State state_ = State::kIdle;
  Generation generation_;
  int slot_ = -1;
  std::string leader_;  // address of the generation's maker
  CommitHead commit_;   // the last one known
  CommitHead base_;     // what the generation goes on from
  std::map<int64_t, Work> works_;
  std::optional<TaskFailed> failure_;  // said to the leader, who has not acted yet
  bool probing_ = false;               // the generation's state in memory is spoilt
  std::optional<BatchProbed> probed_;  // what the leader may ask for again
  bool leaving_ = false;
  int64_t seen_fence_ = 0;
  uint64_t term_ = 0;
  MonotonicTime leave_at_ = MonotonicTime::max();
  MonotonicTime retry_at_ = MonotonicTime::max();
  std::function<void(MonotonicTime)> retry_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::vector<Action> actions_;
};

}  // namespace millrace::worker
