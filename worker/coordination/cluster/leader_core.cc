#include "worker/coordination/cluster/leader_core.h"

#include <algorithm>
#include <utility>

#include "worker/coordination/batch_plan.h"

namespace millrace::worker {
namespace {

// How long a request that the store did not carry out waits before it is sent again.
constexpr Duration kRetryDelay = std::chrono::milliseconds(200);
// Members that start together with the leader are found by reading again.
constexpr int kReadsWhileGathering = 5;

}  // namespace

LeaderCore::LeaderCore(LeaderConfig config, Seat self, Lease lease, PlanMaker* maker,
                       std::function<uint64_t()> random)
    : config_(std::move(config)),
      self_(std::move(self)),
      lease_(std::move(lease)),
      maker_(maker),
      random_(std::move(random)) {}

std::vector<Action> LeaderCore::TakeActions() { return std::exchange(actions_, {}); }

void LeaderCore::Call(StoreRequest request, Done done) {
  actions_.push_back(CallStore{
      std::move(request), [this, term = term_, alive = std::weak_ptr<int>(alive_),
                           done = std::move(done)](const StoreReply& reply, MonotonicTime now) {
        if (alive.expired() || state_ == State::kEnded || term != term_) return;
        done(reply, now);
      }});
}

void LeaderCore::Send(const Seat& seat, decltype(Message::body) body) {
  actions_.push_back(
      SendMessage{seat.address, Message{self_.member, self_.address, std::move(body)}});
}

void LeaderCore::SendAll(const decltype(Message::body)& body) {
  for (const Seat& seat : generation_.seats) Send(seat, body);
}

void LeaderCore::End(Status status) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  actions_.push_back(EndLeadership{std::move(status)});
}

void LeaderCore::Depose() { End(OkStatus()); }

bool LeaderCore::Failed(const char* what, const StoreReply& reply,
                        const std::function<void(MonotonicTime)>& again, MonotonicTime now) {
  switch (reply.code) {
    case StoreCode::kOk:
      return false;
    case StoreCode::kStale:
      End(OkStatus());
      return true;
    case StoreCode::kLost:
      End(InternalError("StateLost: the job's record is missing from the state store"));
      return true;
    case StoreCode::kHalted:
      End(InternalError(reply.detail));
      return true;
    case StoreCode::kUnavailable:
      retry_at_ = now + kRetryDelay;
      // Several requests may wait, a plan and a commit for example; none is forgotten.
      retry_ = [this, before = std::move(retry_), again, term = term_](MonotonicTime at) {
        if (before) before(at);
        if (again && term == term_ && state_ != State::kEnded) again(at);
      };
      return true;
    case StoreCode::kSuspect:
    case StoreCode::kNotCurrent:
    case StoreCode::kRefused:
    case StoreCode::kUnknown:
      Restart(std::string(what) + ": " + std::string(StoreCodeName(reply.code)) +
                  (reply.detail.empty() ? "" : " (" + reply.detail + ")"),
              now);
      return true;
  }
  return true;
}

void LeaderCore::Start(MonotonicTime now) { Restart("new leader", now); }

// Forgets everything and begins with what the store says. One that steps down leaves that to the
// next leader.
void LeaderCore::Restart(std::string reason, MonotonicTime now) {
  if (state_ == State::kEnded) return;
  if (stepping_down_) return Release(OkStatus());
  ++term_;
  state_ = State::kReading;
  reason_ = std::move(reason);
  flights_.clear();
  planning_ = false;
  retry_ = nullptr;
  retry_at_ = MonotonicTime::max();
  ReadFacts(now);
}

void LeaderCore::ReadFacts(MonotonicTime) {
  Call(ReadJob{}, [this](const StoreReply& reply, MonotonicTime now) {
    if (reply.code == StoreCode::kUnknown ||
        Failed(
            "read", reply, [this](MonotonicTime at) { ReadFacts(at); }, now)) {
      if (reply.code == StoreCode::kUnknown) ReadFacts(now);
      return;
    }
    if (!reply.facts->halt.empty()) return End(InternalError(reply.facts->halt));
    facts_ = *reply.facts;
    NoteMembers(facts_, now);
    Gather(reason_, now);
  });
}

void LeaderCore::Gather(std::string reason, MonotonicTime now) {
  state_ = State::kGathering;
  reason_ = std::move(reason);
  change_wanted_ = false;
  gather_until_ = now + config_.gather;
  next_resend_ = now + config_.resend;
  next_members_ = now + config_.gather / kReadsWhileGathering;
  ++roll_;
  present_ = {self_.member};
  if (facts_.generation && AllPresent(now)) return MakeGeneration(now);
  CallRoll();
}

void LeaderCore::ReadMembers(MonotonicTime now) {
  next_members_ = now + (state_ == State::kGathering ? config_.gather / kReadsWhileGathering
                                                     : config_.heartbeat);
  Call(ReadJob{}, [this](const StoreReply& reply, MonotonicTime at) {
    if (reply.code == StoreCode::kStale || reply.code == StoreCode::kLost ||
        reply.code == StoreCode::kHalted) {
      Failed("read", reply, nullptr, at);
      return;
    }
    if (!reply.ok()) return;
    if (!reply.facts->halt.empty()) return End(InternalError(reply.facts->halt));
    if (state_ == State::kGathering) facts_ = *reply.facts;
    NoteMembers(*reply.facts, at);
    if (state_ == State::kRunning || state_ == State::kFencing || state_ == State::kProbing)
      WatchMembers(at);
    if (state_ == State::kGathering) CallRoll();
  });
}

void LeaderCore::MakeGeneration(MonotonicTime now) {
  if (const Status edit = CheckEdit(facts_, config_.spec); !edit.ok()) return Release(edit);
  Generation next;
  next.seats = ChooseSeats();
  if (next.seats.empty()) {  // the only member is this one, and it leaves
    gather_until_ = now + config_.heartbeat;
    return;
  }
  if (next.slots() > config_.spec.groups) next.seats.resize(config_.spec.groups);
  const Generation previous = facts_.generation.value_or(Generation{});
  next.fence = 1 + std::max(previous.fence, sink_fence_);
  next.name = GenerationName(next.fence, random_());
  next.epoch = lease_.epoch;
  next.spec_hash = facts_.plans.empty() ? config_.spec.hash : facts_.spec_hash;
  next.first = facts_.commit.batch + 1;
  next.max_slots = static_cast<int>(std::max<int64_t>({facts_.slots, sink_slots_, next.slots()}));
  next.groups = AssignGroups(config_.spec.groups, previous, next.seats);
  generation_ = next;
  ready_.clear();
  state_ = State::kFencing;
  ++term_;
  const NewGeneration request{lease_, facts_.commit, config_.spec.generation, next,
                              EncodeSpec(config_.spec.record)};
  Call(request, [this](const StoreReply& reply, MonotonicTime at) {
    if (Failed(
            "new generation", reply, [this](MonotonicTime later) { Restart(reason_, later); }, at))
      return;
    facts_.generation = generation_;
    if (facts_.spec_hash != generation_.spec_hash) facts_.spec_gen = config_.spec.generation;
    facts_.spec_hash = generation_.spec_hash;
    ready_until_ = at + config_.ready_timeout;
    next_resend_ = at + config_.resend;
    SendAll(GenerationMade{generation_, facts_.commit});
    for (const auto& [member, record] : facts_.members) {
      const bool out = record.leaving || record.spec_hash != config_.spec.hash;
      if (out && generation_.SlotOf(member) < 0)
        Send({member, record.address}, GenerationMade{generation_, facts_.commit});
    }
  });
  ready_until_ = MonotonicTime::max();
}

void LeaderCore::Handle(const ReadyToRun& body, MonotonicTime now) {
  if (state_ != State::kFencing || body.generation != generation_.name) return;
  ready_.insert(body.slot);
  if (static_cast<int>(ready_.size()) < generation_.slots()) return;
  if (Searches()) return Probe(now);
  state_ = State::kOpening;
  actions_.push_back(ReadLedgers{generation_.name});
}

void LeaderCore::OnLedgers(const std::string& generation, const Result<LedgerFacts>& ledgers,
                           MonotonicTime now) {
  if (state_ != State::kOpening || generation != generation_.name) return;
  if (!ledgers.ok()) return Restart("ledgers: " + ledgers.status().message(), now);
  sink_fence_ = std::max(sink_fence_, ledgers->fence);
  sink_slots_ = std::max(sink_slots_, ledgers->slots);
  if (sink_fence_ > generation_.fence) return Restart("a sink knows a newer generation", now);
  if (sink_slots_ > generation_.max_slots) return Restart("a sink knows more slots", now);
  Open(*ledgers, now);
}

// The facts are read again: a Ready may have told of a commit that the store has lost.
void LeaderCore::Open(const LedgerFacts& ledgers, MonotonicTime) {
  Call(ReadJob{}, [this, ledgers](const StoreReply& reply, MonotonicTime now) {
    if (Failed(
            "read", reply, [this](MonotonicTime at) { Restart(reason_, at); }, now))
      return;
    facts_ = *reply.facts;
    const LedgerVerdict verdict = JudgeLedgers(facts_, ledgers, config_.spec.hash);
    if (!verdict.status.ok()) return HaltWith(verdict.status, now);
    if (generation_.spec_hash != config_.spec.hash) return TakeBackPlans(ledgers, now);
    if (search_) return LeavePoisonOut(ledgers, now);
    generation_.skip = verdict.skip;
    Call(OpenGeneration{lease_, facts_.suspect, generation_},
         [this](const StoreReply& opened, MonotonicTime at) {
           if (Failed(
                   "open", opened, [this](MonotonicTime later) { Restart(reason_, later); }, at))
             return;
           facts_.suspect.reset();
           Run(at);
         });
  });
}

void LeaderCore::Run(MonotonicTime) {
  Call(ReadOffsets{}, [this](const StoreReply& reply, MonotonicTime now) {
    if (Failed(
            "read offsets", reply, [this](MonotonicTime at) { Restart(reason_, at); }, now))
      return;
    Status status = maker_->Resume(facts_.commit, reply.fields);
    if (status.ok()) status = AdoptPlans();
    if (!status.ok()) return HaltWith(status, now);
    generation_.open = true;
    state_ = State::kRunning;
    commits_ = 0;
    reason_.clear();
    SendAll(GenerationOpened{generation_});
    for (const Flight& flight : flights_) {
      if (!Held(flight.plan.batch)) SendAll(RunBatch{generation_.name, flight.plan});
    }
    next_resend_ = now + config_.resend;
    Advance(now);
  });
}

Status LeaderCore::AdoptPlans() {
  flights_.clear();
  std::string digest = facts_.commit.digest;
  int64_t batch = facts_.commit.batch;
  for (const PlanEntry& plan : facts_.plans) {
    digest = PlanDigest(digest, plan.bytes);
    if (plan.batch != ++batch || plan.digest != digest)
      return InternalError("StateRolledBack: plan " + std::to_string(plan.batch) +
                           " does not follow the committed history");
    RETURN_IF_ERROR(maker_->Adopt(plan));
    flights_.emplace_back().plan = plan;
  }
  return OkStatus();
}

void LeaderCore::HaltWith(const Status& status, MonotonicTime) {
  Call(HaltJob{lease_, status.message()},
       [this, status](const StoreReply& reply, MonotonicTime now) {
         if (reply.code == StoreCode::kUnavailable || reply.code == StoreCode::kUnknown)
           return HaltWith(status, now);
         End(status);
       });
}

void LeaderCore::OnTimer(MonotonicTime now) {
  if (state_ == State::kEnded) return;
  if (retry_ && now >= retry_at_) {
    const auto retry = std::exchange(retry_, nullptr);
    retry_at_ = MonotonicTime::max();
    retry(now);
  }
  if (state_ == State::kReading || state_ == State::kEnded) return;
  if (now >= next_members_) ReadMembers(now);
  if (now >= next_resend_) Resend(now);
  if (state_ == State::kGathering && now >= gather_until_) MakeGeneration(now);
  if (state_ == State::kFencing && now >= ready_until_) {
    for (int slot = 0; slot < generation_.slots(); ++slot) {
      if (!ready_.contains(slot) && generation_.seats[slot].member != self_.member)
        left_out_[generation_.seats[slot].member] = now + config_.ready_timeout;
    }
    Restart("a member was not ready in time", now);
  }
  if (state_ == State::kRunning) Advance(now);
}

MonotonicTime LeaderCore::next_timer() const {
  if (state_ == State::kEnded) return MonotonicTime::max();
  MonotonicTime next = retry_ ? retry_at_ : MonotonicTime::max();
  if (state_ == State::kReading) return next;
  next = std::min(next, next_members_);
  if (state_ == State::kGathering) next = std::min({next, gather_until_, next_resend_});
  if (state_ == State::kFencing) next = std::min({next, ready_until_, next_resend_});
  if (state_ == State::kProbing) next = std::min(next, next_resend_);
  if (state_ == State::kRunning) {
    next = std::min(next, next_resend_);
    if (!planning_ && flights_.size() < 2) next = std::min(next, maker_->next_due());
  }
  return next;
}

}  // namespace millrace::worker
