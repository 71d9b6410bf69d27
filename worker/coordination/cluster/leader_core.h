#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "worker/coordination/cluster/actions.h"
#include "worker/coordination/cluster/ledger_verdict.h"
#include "worker/coordination/cluster/plan_maker.h"
#include "worker/coordination/cluster/poison_search.h"
#include "worker/coordination/cluster/spec_edit.h"

namespace millrace::worker {

struct LeaderConfig {
  OwnSpec spec;
  bool announce_delivery =
      false;                   // some sink has no ledger: Deliver is written down before it is said
  int64_t attempts = 3;        // of one batch before the job halts,
  bool bisect = false;         // or before the records are looked for that make it fail
  Duration heartbeat{0};       // how often the members' records are read
  Duration member_timeout{0};  // a member whose beat stands still for so long is dead
  Duration gather{0};          // how long answers to a roll call are waited for
  Duration ready_timeout{0};   // a member not ready after this is left out
  Duration resend{0};          // unanswered messages are repeated
};

// The leader of a job: generations and batches in protocol order (sections 4, 5, 6, 9).
//
//   kReading   -> kGathering            the store's facts were read
//   kGathering -> kFencing              all members of the last generation answered the roll call,
//                                       or the time is up; NewGen written; members fence and
//                                       restore
//   kFencing   -> kReading              a member was lost, or not ready in time: it is left out
//   kFencing   -> kOpening              all ready; ledgers are read and judged
//   kFencing   -> kProbing              all ready, and a poison record is looked for: its batch,
//   the
//                                       next one, is run up to some record
//   kProbing   -> kReading              the probe's outcome is known: the generation is spent
//   kOpening   -> kRunning              Open written
//   kRunning   -> kReading              member lost, task failed, store surprised: at once
//   kRunning   -> kReading              member joined or leaves: when the last plan has committed
//   any        -> kEnded                replaced, stepped down, halted, another spec should run
//
// The first generation of an edited spec goes on from the former one's commit. Batches that the
// former one planned and did not commit are taken back in a generation of its hash, once all sinks
// are fenced and none holds output of them; else the job halts.
//
// A batch that failed for its last time may be bisected: each run of a part of it is a generation
// of its own that is never opened, so that nothing of it can count. The batch's plan is then
// replaced by one without the records that were found, once all sinks are fenced and none holds
// output of it.
//
// Guarantee: says Deliver(b) only after commit(b-1) and when every slot has computed b; commits b
// only with every slot's report; never has more than two plans beyond the commit. All else is left
// to the store's checks. Loop thread only; `maker` outlives it.
class LeaderCore {
 public:
  enum class State { kReading, kGathering, kFencing, kOpening, kProbing, kRunning, kEnded };

  LeaderCore(LeaderConfig config, Seat self, Lease lease, PlanMaker* maker,
             std::function<uint64_t()> random);

  void Start(MonotonicTime now);
  void OnMessage(const Message& message, MonotonicTime now);
  void OnLedgers(const std::string& generation, const Result<LedgerFacts>& ledgers,
                 MonotonicTime now);
  // Call when `next_timer` is reached; earlier does no harm.
  void OnTimer(MonotonicTime now);
  // How often a batch may fail from now on, and what follows.
  void SetPoison(int64_t attempts, bool bisect) {
    config_.attempts = attempts;
    config_.bisect = bisect;
  }
  // Finishes planned batches, then gives the lease back.
  void StepDown(MonotonicTime now);
  // The lease was lost: nothing more is written.
  void Depose();
  std::vector<Action> TakeActions();

  MonotonicTime next_timer() const;
  State state() const { return state_; }
  const Generation& generation() const { return generation_; }
  const CommitHead& commit() const { return facts_.commit; }
  const std::map<std::string, MemberRecord>& members() const { return facts_.members; }
  // Slots of the generation that are fenced; counted while it is kFencing.
  const std::set<int>& ready() const { return ready_; }
  // Why the current generation is being replaced, for status; empty while running.
  const std::string& reason() const { return reason_; }

 private:
  struct Flight {
    PlanEntry plan;
    std::set<int> computed;
    bool announced = false;  // Deliver said, or being written down
    bool delivering = false;
    std::map<int, std::string> prepared;  // slot -> facts
    bool committing = false;
  };
  struct Watched {
    int64_t beat = -1;
    MonotonicTime moved;
    bool alive = false;
  };
  using Done = std::function<void(const StoreReply&, MonotonicTime)>;

  void Call(StoreRequest request, Done done);
  void Send(const Seat& seat, decltype(Message::body) body);
  void SendAll(const decltype(Message::body)& body);
  void End(Status status);
  // Handles the outcomes that every request can have; true when the caller has nothing left to do.
  bool Failed(const char* what, const StoreReply& reply,
              const std::function<void(MonotonicTime)>& again, MonotonicTime now);

  void Restart(std::string reason, MonotonicTime now);
  void Gather(std::string reason, MonotonicTime now);
  void ReadFacts(MonotonicTime now);
  void ReadMembers(MonotonicTime now);
  void NoteMembers(const JobFacts& facts, MonotonicTime now);
  bool CanSit(const std::string& member, const MemberRecord& record) const;
  bool AllPresent(MonotonicTime now) const;
  void CallRoll();
  void ForgetDead(MonotonicTime now);
  std::vector<Seat> ChooseSeats() const;
  void MakeGeneration(MonotonicTime now);
  void Open(const LedgerFacts& ledgers, MonotonicTime now);
  void Run(MonotonicTime now);
  Status AdoptPlans();

  void Handle(const ReadyToRun& body, MonotonicTime now);
  void Handle(const BatchComputed& body, MonotonicTime now);
  void Handle(const BatchPrepared& body, MonotonicTime now);
  void Handle(const TaskFailed& body, MonotonicTime now);
  void Handle(const Present& body, const std::string& member, MonotonicTime now);
  void Handle(const BatchProbed& body, MonotonicTime now);
  bool MayBisect(int64_t batch, const Status& failure);
  bool Searches();
  bool Held(int64_t batch) const { return poison_ != 0 && batch >= poison_; }
  void Probe(MonotonicTime now);
  ProbeBatch ProbeToRun() const;
  void OnProbeFailed(const Status& status, MonotonicTime now);
  void GoOnSearching(MonotonicTime now);
  void LeavePoisonOut(const LedgerFacts& ledgers, MonotonicTime now);
  void OnLeaving(const std::string& member, MonotonicTime now);
  Flight* Find(int64_t batch);
  void Advance(MonotonicTime now);
  void Release(Status status);
  void YieldToOtherSpec(MonotonicTime now);
  void TakeBackPlans(const LedgerFacts& ledgers, MonotonicTime now);
  void PlanNext(MonotonicTime now);
  void Append(const std::string& previous, const PlanEntry& plan);
  void DeliverFront(MonotonicTime now);
  void SayDeliver(const Flight& flight);
  void CommitFront(MonotonicTime now);
  void Committed(const CommitBatch& written, MonotonicTime now);
  void CheckCommit(const CommitBatch& written, MonotonicTime now);
  void WatchMembers(MonotonicTime now);
  void Resend(MonotonicTime now);
  void HaltWith(const Status& status, MonotonicTime now);

  LeaderConfig config_;
  Seat self_;
  Lease lease_;
  PlanMaker* maker_;
  std::function<uint64_t()> random_;
  State state_ = State::kReading;
  JobFacts facts_;
  std::map<std::string, Watched> watched_;
  Generation generation_;
  std::set<int> ready_;
  std::map<std::string, MonotonicTime> left_out_;  // not ready in time: no seat until then
  int64_t roll_ = 0;                               // number of the last roll call
  std::set<std::string> present_;                  // who answered it
  int64_t sink_fence_ = 0;
  int64_t sink_slots_ = 0;
  std::deque<Flight> flights_;
  bool planning_ = false;
  bool stepping_down_ = false;
  bool change_wanted_ = false;  // a planned generation: members joined or leave
  int64_t commits_ = 0;         // of this generation
  std::map<int64_t, int64_t> attempts_;
  int64_t poison_ = 0;     // batch that is bisected, once it is the next one; 0: none
  Status poison_failure_;  // its last
  std::optional<PoisonSearch> search_;
  std::string searched_;                             // digest of the plan that it searches
  std::map<int, std::vector<RangeRecords>> probed_;  // by slot: who succeeded
  std::string reason_;
  uint64_t term_ = 0;  // replies to requests of an earlier term are dropped
  MonotonicTime gather_until_;
  MonotonicTime ready_until_;
  MonotonicTime next_members_;
  MonotonicTime next_resend_;
  MonotonicTime retry_at_ = MonotonicTime::max();
  std::function<void(MonotonicTime)> retry_;
  std::shared_ptr<int> alive_ =
      std::make_shared<int>();  // replies that come after the core is gone find it expired
  std::vector<Action> actions_;
};

}  // namespace millrace::worker
