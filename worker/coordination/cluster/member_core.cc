#include "worker/coordination/cluster/member_core.h"

#include <utility>

namespace millrace::worker {

MemberCore::MemberCore(Seat self, Duration retry) : self_(std::move(self)), retry_delay_(retry) {}

std::vector<Action> MemberCore::TakeActions() { return std::exchange(actions_, {}); }

// Replies that come after the generation changed are dropped.
void MemberCore::Call(StoreRequest request,
                      std::function<void(const StoreReply&, MonotonicTime)> done) {
  actions_.push_back(CallStore{
      std::move(request), [this, term = term_, alive = std::weak_ptr<int>(alive_),
                           done = std::move(done)](const StoreReply& reply, MonotonicTime now) {
        if (!alive.expired() && term == term_) done(reply, now);
      }});
}

void MemberCore::Tell(decltype(Message::body) body) {
  if (!leader_.empty())
    actions_.push_back(SendMessage{leader_, Message{self_.member, self_.address, std::move(body)}});
}

void MemberCore::Retry(std::function<void(MonotonicTime)> again, MonotonicTime now) {
  retry_ = std::move(again);
  retry_at_ = now + retry_delay_;
}

// Said again whenever the leader asks again: until it makes a new generation.
void MemberCore::Fail(int64_t batch, const Status& status) {
  failure_ = TaskFailed{generation_.name, slot_, batch, status.code(), status.message()};
  Tell(*failure_);
}

// The generation counts on this member no more.
void MemberCore::Drop() {
  ++term_;
  retry_ = nullptr;
  works_.clear();
  failure_.reset();
  probing_ = false;
  probed_.reset();
  generation_ = {};
  slot_ = -1;
  if (state_ != State::kIdle) actions_.push_back(StopWork{});
  state_ = State::kIdle;
}

// Work of a generation that this member gave up: its leader must hear of it.
bool MemberCore::Refuse(const std::string& generation, const std::string& leader) {
  if (state_ == State::kIdle) {
    TaskFailed failed{generation, 0, 0, StatusCode::kAborted,
                      self_.member + " is not in the generation any more"};
    actions_.push_back(
        SendMessage{leader, Message{self_.member, self_.address, std::move(failed)}});
    return true;
  }
  if (failure_ && generation == generation_.name) Tell(*failure_);
  return state_ != State::kOpen || generation != generation_.name;
}

void MemberCore::OnMessage(const Message& message, MonotonicTime now) {
  if (const auto* made = std::get_if<GenerationMade>(&message.body))
    return Handle(*made, message.address);
  if (const auto* opened = std::get_if<GenerationOpened>(&message.body))
    return Handle(*opened, now);
  if (const auto* run = std::get_if<RunBatch>(&message.body))
    return Refuse(run->generation, message.address) ? void() : Handle(*run, now);
  if (const auto* deliver = std::get_if<DeliverBatch>(&message.body))
    return Refuse(deliver->generation, message.address) ? void() : Handle(*deliver, now);
  if (const auto* committed = std::get_if<BatchCommitted>(&message.body))
    return Handle(*committed, now);
  if (const auto* probe = std::get_if<ProbeBatch>(&message.body))
    return Handle(*probe, message.address);
  if (const auto* call = std::get_if<RollCall>(&message.body)) {
    Message answer{self_.member, self_.address, Present{call->epoch, call->number}};
    actions_.push_back(SendMessage{message.address, std::move(answer)});
  }
}

void MemberCore::Handle(const GenerationMade& body, const std::string& leader) {
  if (body.generation.name == generation_.name) {
    leader_ = leader;
    if (state_ == State::kReady || state_ == State::kOpen)
      Tell(ReadyToRun{generation_.name, slot_});
    if (failure_) Tell(*failure_);
    return;
  }
  if (body.generation.fence > seen_fence_) return Adopt(body, leader);
  Verify(body, leader);
}

// An older fence: a message that was long on its way, or a store that went back. Only the store
// knows.
void MemberCore::Verify(const GenerationMade& body, const std::string& leader) {
  Call(ReadJob{}, [this, body, leader](const StoreReply& reply, MonotonicTime) {
    if (reply.ok() && reply.facts->generation &&
        reply.facts->generation->name == body.generation.name)
      Adopt(body, leader);
  });
}

void MemberCore::Adopt(const GenerationMade& body, const std::string& leader) {
  Drop();
  leader_ = leader;
  seen_fence_ = body.generation.fence;
  const int slot = body.generation.SlotOf(self_.member);
  if (slot < 0) return;
  generation_ = body.generation;
  slot_ = slot;
  state_ = State::kTakingOver;
  base_ = body.commit;
  actions_.push_back(TakeOver{generation_, slot_, body.commit});
}

void MemberCore::OnTakenOver(const std::string& generation, const Status& status, MonotonicTime) {
  if (state_ != State::kTakingOver || generation != generation_.name) return;
  if (!status.ok()) return Fail(0, status);
  MarkReadyNow();
}

void MemberCore::MarkReadyNow() {
  Call(MarkReady{generation_.name, slot_, known()},
       [this](const StoreReply& reply, MonotonicTime now) {
         if (reply.code == StoreCode::kUnavailable || reply.code == StoreCode::kUnknown)
           return Retry([this](MonotonicTime) { MarkReadyNow(); }, now);
         if (!reply.ok()) return Drop();
         // A commit that the store does not know was told with Ready; from here on the store's is
         // the one that counts.
         commit_ = base_;
         state_ = State::kReady;
         Tell(ReadyToRun{generation_.name, slot_});
       });
}

void MemberCore::Handle(const GenerationOpened& body, MonotonicTime) {
  if (state_ != State::kReady || body.generation.name != generation_.name || probing_) return;
  generation_ = body.generation;
  state_ = State::kOpen;
}

void MemberCore::Handle(const RunBatch& body, MonotonicTime) {
  const int64_t batch = body.plan.batch;
  if (batch <= commit_.batch) return;
  const auto known = works_.find(batch);
  if (known != works_.end()) {
    if (known->second.step >= Work::Step::kComputed)
      Tell(BatchComputed{generation_.name, slot_, batch});
    return;
  }
  const int64_t next =
      works_.empty() ? std::max(generation_.first, commit_.batch + 1) : works_.rbegin()->first + 1;
  if (batch != next) return;
  works_[batch].plan = body.plan;
  ComputeNext();
}

void MemberCore::ComputeNext() {
  for (auto& [batch, work] : works_) {
    if (work.step == Work::Step::kComputing) return;
    if (work.step != Work::Step::kWaiting) continue;
    work.step = Work::Step::kComputing;
    actions_.push_back(ComputeBatch{generation_.name, work.plan});
    return;
  }
}

void MemberCore::OnComputed(const std::string& generation, int64_t batch, const Status& status,
                            MonotonicTime) {
  if (state_ != State::kOpen || generation != generation_.name) return;
  const auto work = works_.find(batch);
  if (work == works_.end() || work->second.step != Work::Step::kComputing) return;
  if (!status.ok()) return Fail(batch, status);
  work->second.step = Work::Step::kComputed;
  Tell(BatchComputed{generation_.name, slot_, batch});
  ComputeNext();
}

void MemberCore::Handle(const DeliverBatch& body, MonotonicTime) {
  Settle(body.commit);
  const auto found = works_.find(body.batch);
  if (found == works_.end()) return;
  Work& work = found->second;
  if (work.step == Work::Step::kPrepared)
    return Tell(BatchPrepared{generation_.name, slot_, body.batch, work.facts});
  if (work.step != Work::Step::kComputed) return;
  work.step = Work::Step::kDelivering;
  actions_.push_back(DeliverOutput{generation_, body.batch, work.plan.digest});
}

void MemberCore::OnDelivered(const std::string& generation, int64_t batch, const Status& status,
                             std::string report, std::string facts, MonotonicTime) {
  if (state_ != State::kOpen || generation != generation_.name) return;
  const auto found = works_.find(batch);
  if (found == works_.end() || found->second.step != Work::Step::kDelivering) return;
  if (!status.ok()) return Fail(batch, status);
  found->second.step = Work::Step::kDelivered;
  found->second.report = std::move(report);
  found->second.facts = std::move(facts);
  PutReport(batch);
}

void MemberCore::PutReport(int64_t batch) {
  const auto found = works_.find(batch);
  if (found == works_.end()) return;
  Call(PutPrepared{generation_.name, slot_, batch, found->second.report},
       [this, batch](const StoreReply& reply, MonotonicTime now) {
         const auto work = works_.find(batch);
         if (work == works_.end()) return;
         if (reply.code == StoreCode::kUnavailable || reply.code == StoreCode::kUnknown) {
           return Retry([this, batch](MonotonicTime) { PutReport(batch); }, now);
         }
         if (reply.code == StoreCode::kSuspect)
           return Fail(batch, AbortedError("the state store went back in time"));
         if (!reply.ok()) return Drop();
         work->second.step = Work::Step::kPrepared;
         Tell(BatchPrepared{generation_.name, slot_, batch, work->second.facts});
       });
}

void MemberCore::Handle(const ProbeBatch& body, const std::string& leader) {
  if (Refuse(body.generation, leader) && state_ != State::kReady) return;
  if (state_ != State::kReady || body.generation != generation_.name || failure_) return;
  if (probed_) return Tell(*probed_);
  if (std::exchange(probing_, true)) return;
  actions_.push_back(RunProbe{generation_.name, body.plan, body.count, body.limits});
}

void MemberCore::OnProbed(const std::string& generation, int64_t batch, const Status& status,
                          std::vector<RangeRecords> counts) {
  if (state_ != State::kReady || generation != generation_.name || !probing_) return;
  if (!status.ok()) return Fail(batch, status);
  probed_ = BatchProbed{generation_.name, slot_, std::move(counts)};
  Tell(*probed_);
}

void MemberCore::Handle(const BatchCommitted& body, MonotonicTime) {
  if (body.generation == generation_.name && state_ == State::kOpen) Settle(body.commit);
}

void MemberCore::Settle(const CommitHead& commit) {
  if (commit.batch <= commit_.batch) return;
  commit_ = commit;
  const bool ours = commit.generation == generation_.name;
  works_.erase(works_.begin(), works_.upper_bound(commit.batch));
  if (ours) actions_.push_back(SettleBatch{commit});
}

void MemberCore::OnFacts(const JobFacts& facts, MonotonicTime) {
  if (state_ == State::kOpen && facts.generation && facts.generation->name == generation_.name &&
      facts.commit.generation == generation_.name) {
    Settle(facts.commit);
  }
  // A leaving member that no open generation counts on may go.
  if (leaving_ && facts.generation && facts.generation->SlotOf(self_.member) < 0) Drop();
}

void MemberCore::OnTimer(MonotonicTime now) {
  if (retry_ && now >= retry_at_) {
    const auto retry = std::exchange(retry_, nullptr);
    retry(now);
  }
  if (leaving_ && now >= leave_at_) Leave(now);
}

void MemberCore::Leave(MonotonicTime now) {
  leaving_ = true;
  leave_at_ = now + retry_delay_;
  Tell(MemberLeaving{});
}

}  // namespace millrace::worker
