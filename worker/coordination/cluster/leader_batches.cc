// The leader's running state: plan, deliver and commit, batch by batch (protocol section 6).
#include <algorithm>
#include <utility>

#include "worker/coordination/batch_plan.h"
#include "worker/coordination/cluster/leader_core.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxPlansBeyondCommit = 2;

}  // namespace

void LeaderCore::OnMessage(const Message& message, MonotonicTime now) {
  if (state_ == State::kEnded) return;
  if (const auto* ready = std::get_if<ReadyToRun>(&message.body)) Handle(*ready, now);
  if (const auto* computed = std::get_if<BatchComputed>(&message.body)) Handle(*computed, now);
  if (const auto* prepared = std::get_if<BatchPrepared>(&message.body)) Handle(*prepared, now);
  if (const auto* failed = std::get_if<TaskFailed>(&message.body)) Handle(*failed, now);
  if (const auto* present = std::get_if<Present>(&message.body))
    Handle(*present, message.member, now);
  if (const auto* probed = std::get_if<BatchProbed>(&message.body)) Handle(*probed, now);
  if (std::holds_alternative<MemberLeaving>(message.body)) OnLeaving(message.member, now);
}

LeaderCore::Flight* LeaderCore::Find(int64_t batch) {
  const auto flight = std::find_if(flights_.begin(), flights_.end(),
                                   [&](const Flight& f) { return f.plan.batch == batch; });
  return flight == flights_.end() ? nullptr : &*flight;
}

void LeaderCore::Handle(const BatchComputed& body, MonotonicTime now) {
  if (state_ != State::kRunning || body.generation != generation_.name) return;
  if (Flight* flight = Find(body.batch)) flight->computed.insert(body.slot);
  Advance(now);
}

void LeaderCore::Handle(const BatchPrepared& body, MonotonicTime now) {
  if (state_ != State::kRunning || body.generation != generation_.name) return;
  if (Flight* flight = Find(body.batch)) flight->prepared[body.slot] = body.facts;
  Advance(now);
}

void LeaderCore::Handle(const TaskFailed& body, MonotonicTime now) {
  if (body.generation != generation_.name || state_ == State::kReading ||
      state_ == State::kGathering)
    return;
  const Status status(body.code, body.text);
  if (state_ == State::kProbing && body.batch > 0) return OnProbeFailed(status, now);
  const std::string where = body.batch > 0 ? "batch " + std::to_string(body.batch) + ": " : "";
  if (!status.retryable() && body.code != StatusCode::kAborted &&
      ++attempts_[body.batch] >= config_.attempts && !MayBisect(body.batch, status)) {
    return HaltWith(
        status.WithContext(where + "failed " + std::to_string(config_.attempts) + " times"), now);
  }
  Restart(where + body.text, now);
}

// Takes every step that is possible now.
void LeaderCore::Advance(MonotonicTime now) {
  if (state_ != State::kRunning) return;
  if (poison_ != 0 && poison_ <= facts_.commit.batch + 1)
    return Restart("looking for what makes batch " + std::to_string(poison_) + " fail", now);
  const bool pausing = stepping_down_ || (change_wanted_ && (commits_ > 0 || flights_.empty()));
  if (pausing && flights_.empty() && !planning_) {
    if (!stepping_down_) return Restart("members change", now);
    return Release(OkStatus());
  }
  if (!pausing) PlanNext(now);
  DeliverFront(now);
  CommitFront(now);
}

void LeaderCore::StepDown(MonotonicTime now) {
  if (state_ == State::kEnded) return;
  stepping_down_ = true;
  if (state_ == State::kRunning) return Advance(now);
  Release(OkStatus());
}

// Nothing that comes before the store's answer may begin anything, or drop the answer.
void LeaderCore::Release(Status status) {
  state_ = State::kEnded;
  actions_.push_back(CallStore{
      ReleaseLease{lease_},
      [this, status, alive = std::weak_ptr<int>(alive_)](const StoreReply&, MonotonicTime) {
        if (alive.expired()) return;
        for (const auto& [member, record] : facts_.members)
          Send({member, record.address}, LeaseFreed{});
        actions_.push_back(EndLeadership{status});
      }});
}

void LeaderCore::PlanNext(MonotonicTime now) {
  if (planning_ || flights_.size() >= kMaxPlansBeyondCommit || now < maker_->next_due()) return;
  const int64_t batch = facts_.commit.batch + static_cast<int64_t>(flights_.size()) + 1;
  Result<std::optional<std::string>> bytes = maker_->Next(batch);
  if (!bytes.ok()) return HaltWith(bytes.status(), now);
  if (!*bytes) return;
  const std::string previous =
      flights_.empty() ? facts_.commit.digest : flights_.back().plan.digest;
  PlanEntry plan{batch, PlanDigest(previous, **bytes), config_.spec.hash, **bytes};
  planning_ = true;
  Append(previous, plan);
}

void LeaderCore::Append(const std::string& previous, const PlanEntry& plan) {
  Call(AppendPlan{lease_, generation_.name, previous, plan},
       [this, previous, plan](const StoreReply& reply, MonotonicTime now) {
         if (Failed(
                 "plan", reply, [this, previous, plan](MonotonicTime) { Append(previous, plan); },
                 now))
           return;
         planning_ = false;
         flights_.emplace_back().plan = plan;
         SendAll(RunBatch{generation_.name, plan});
         Advance(now);
       });
}

void LeaderCore::DeliverFront(MonotonicTime now) {
  if (flights_.empty()) return;
  Flight& front = flights_.front();
  if (front.announced || static_cast<int>(front.computed.size()) < generation_.slots()) return;
  front.announced = true;
  if (!config_.announce_delivery) return SayDeliver(front);
  Call(BeginDelivery{lease_, generation_.name, front.plan.batch},
       [this, batch = front.plan.batch](const StoreReply& reply, MonotonicTime at) {
         if (Failed(
                 "deliver", reply, [this](MonotonicTime later) { Restart("deliver", later); }, at))
           return;
         if (Flight* flight = Find(batch)) SayDeliver(*flight);
       });
  (void)now;
}

void LeaderCore::SayDeliver(const Flight& flight) {
  Find(flight.plan.batch)->delivering = true;
  SendAll(DeliverBatch{generation_.name, facts_.commit, flight.plan.batch});
}

void LeaderCore::CommitFront(MonotonicTime) {
  if (flights_.empty()) return;
  Flight& front = flights_.front();
  if (front.committing || static_cast<int>(front.prepared.size()) < generation_.slots()) return;
  front.committing = true;
  std::vector<std::string> facts;
  for (auto& [slot, slot_facts] : front.prepared) facts.push_back(slot_facts);
  CommitParts parts = maker_->Finish(front.plan.batch, facts);
  const CommitBatch commit{lease_,
                           generation_.name,
                           front.plan.batch,
                           front.plan.digest,
                           std::move(parts.record),
                           std::move(parts.offsets)};
  Call(commit, [this, commit](const StoreReply& reply, MonotonicTime at) {
    if (reply.code == StoreCode::kUnknown) return CheckCommit(commit, at);
    if (Failed(
            "commit", reply, [this, commit](MonotonicTime later) { CheckCommit(commit, later); },
            at))
      return;
    Committed(commit, at);
  });
}

// The outcome of a commit is not known: it is done, or it is sent again, or somebody else leads.
void LeaderCore::CheckCommit(const CommitBatch& written, MonotonicTime) {
  Call(ReadJob{}, [this, written](const StoreReply& reply, MonotonicTime now) {
    if (reply.code == StoreCode::kUnknown) return CheckCommit(written, now);
    if (Failed(
            "read", reply, [this, written](MonotonicTime later) { CheckCommit(written, later); },
            now))
      return;
    const CommitHead& commit = reply.facts->commit;
    if (commit.batch == written.batch && commit.generation == written.generation)
      return Committed(written, now);
    if (commit.batch != written.batch - 1 || reply.facts->lease.lease != lease_)
      return Restart("commit of unknown outcome", now);
    Call(written, [this, written](const StoreReply& again, MonotonicTime at) {
      if (again.code == StoreCode::kUnknown) return CheckCommit(written, at);
      if (Failed(
              "commit", again,
              [this, written](MonotonicTime later) { CheckCommit(written, later); }, at))
        return;
      Committed(written, at);
    });
  });
}

void LeaderCore::Committed(const CommitBatch& written, MonotonicTime now) {
  facts_.commit = {written.batch,        written.digest,      generation_.name,
                   written.record,       generation_.slots(), facts_.commit.delivering,
                   generation_.spec_hash};
  attempts_.erase(written.batch);
  ++commits_;
  flights_.pop_front();
  SendAll(BatchCommitted{generation_.name, facts_.commit});
  Advance(now);
}

void LeaderCore::Resend(MonotonicTime now) {
  next_resend_ = now + config_.resend;
  if (state_ == State::kGathering) CallRoll();
  if (state_ == State::kFencing) {
    for (int slot = 0; slot < generation_.slots(); ++slot) {
      if (!ready_.contains(slot))
        Send(generation_.seats[slot], GenerationMade{generation_, facts_.commit});
    }
  }
  if (state_ == State::kProbing) {
    for (int slot = 0; slot < generation_.slots(); ++slot) {
      if (!probed_.contains(slot)) Send(generation_.seats[slot], ProbeToRun());
    }
  }
  if (state_ != State::kRunning || flights_.empty()) return;
  for (int slot = 0; slot < generation_.slots(); ++slot) {
    const Seat& seat = generation_.seats[slot];
    bool told = false;
    for (const Flight& flight : flights_) {
      if (flight.computed.contains(slot) || Held(flight.plan.batch)) continue;
      if (!std::exchange(told, true)) Send(seat, GenerationOpened{generation_});
      Send(seat, RunBatch{generation_.name, flight.plan});
    }
    const Flight& front = flights_.front();
    if (!front.delivering || front.prepared.contains(slot)) continue;
    Send(seat, DeliverBatch{generation_.name, facts_.commit, front.plan.batch});
  }
}

}  // namespace millrace::worker
