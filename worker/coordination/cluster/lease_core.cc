#include "worker/coordination/cluster/lease_core.h"

#include <algorithm>
#include <utility>

#include "worker/coordination/cluster/spec_edit.h"

namespace millrace::worker {
namespace {

constexpr int kBeatsPerLease = 3;
constexpr int kBeatsPerLeaseWhenLeaving = 12;  // others wait for what a leaving member reads

}  // namespace

LeaseCore::LeaseCore(Config config, Seat self, std::function<std::string()> new_token)
    : config_(std::move(config)), self_(std::move(self)), new_token_(std::move(new_token)) {}

std::vector<Action> LeaseCore::TakeActions() { return std::exchange(actions_, {}); }

void LeaseCore::Call(StoreRequest request,
                     std::function<void(const StoreReply&, MonotonicTime)> done) {
  actions_.push_back(
      CallStore{std::move(request), [alive = std::weak_ptr<int>(alive_), done = std::move(done)](
                                        const StoreReply& reply, MonotonicTime now) {
                  if (!alive.expired()) done(reply, now);
                }});
}

void LeaseCore::OnTimer(MonotonicTime now) {
  if (now < next_) return;
  next_ = now + config_.lease / (leaving_ ? kBeatsPerLeaseWhenLeaving : kBeatsPerLease);
  Beat();
  if (leading_) {
    if (now - renewed_ >= config_.lease) return Lose();
    Renew();
  } else {
    Observe();
  }
}

void LeaseCore::Beat() {
  MemberRecord record{self_.address, config_.spec_gen, config_.spec_hash, ++beat_, leaving_};
  Call(BeatMember{self_.member, std::move(record), known_, false},
       [](const StoreReply&, MonotonicTime) {});
}

void LeaseCore::SayGone() {
  Call(BeatMember{self_.member, {}, known_, true}, [](const StoreReply&, MonotonicTime) {});
}

void LeaseCore::Leave(MonotonicTime now) {
  leaving_ = true;
  next_ = now;
}

void LeaseCore::Lose() {
  leading_ = false;
  seen_beat_ = -1;
  actions_.push_back(LeadershipLost{});
}

void LeaseCore::Renew() {
  Call(RenewLease{lease_}, [this](const StoreReply& reply, MonotonicTime now) {
    if (!leading_) return;
    if (reply.ok()) {
      renewed_ = now;
    } else if (reply.code != StoreCode::kUnavailable && reply.code != StoreCode::kUnknown) {
      Lose();
    }
  });
}

// Reads who leads and whether that one still lives.
void LeaseCore::Observe() {
  Call(ReadJob{}, [this](const StoreReply& reply, MonotonicTime now) {
    if (!reply.ok()) {
      seen_beat_ = -1;
      job_lost_ = reply.code == StoreCode::kLost;
      return;
    }
    facts_ = reply.facts;
    NoteMembers(now);
    if (!leading_ && !leaving_ && !asking_ && config_.may_lead) Consider(now);
  });
}

// The next look comes no later than the moment that may end the wait.
void LeaseCore::Consider(MonotonicTime now) {
  const LeaseRecord& lease = facts_->lease;
  const Duration patience = IsMyTurn(now) ? Duration::zero() : config_.lease;
  MonotonicTime free_at;
  if (lease.released) {
    if (!free_since_) free_since_ = now;
    free_at = *free_since_ + patience;
  } else {
    free_since_.reset();
    if (seen_beat_ != lease.beat || seen_token_ != lease.lease.token) {
      seen_beat_ = lease.beat;
      seen_token_ = lease.lease.token;
      seen_since_ = now;
    }
    free_at = seen_since_ + config_.lease + patience;
  }
  if (now >= free_at) return Acquire(lease);
  next_ = std::min(next_, free_at);
}

void LeaseCore::NoteMembers(MonotonicTime now) {
  std::erase_if(members_, [&](const auto& seen) { return !facts_->members.contains(seen.first); });
  for (const auto& [member, record] : facts_->members) {
    const auto [seen, fresh] = members_.try_emplace(member, Seen{record.beat, now});
    if (!fresh && seen->second.beat != record.beat) seen->second = {record.beat, now};
  }
}

// Whether the spec that should run is this member's.
bool LeaseCore::IsMyTurn(MonotonicTime now) const {
  std::set<std::string> live{self_.member};
  for (const auto& [member, seen] : members_) {
    if (now - seen.since < config_.lease) live.insert(member);
  }
  return SpecToRun(*facts_, live, true) == config_.spec_hash;
}

void LeaseCore::Acquire(const LeaseRecord& record) {
  asking_ = true;
  seen_beat_ = -1;
  free_since_.reset();
  Call(AcquireLease{record.lease.token, record.beat, new_token_(), self_.member, self_.address,
                    config_.spec_gen},
       [this](const StoreReply& reply, MonotonicTime now) {
         asking_ = false;
         if (!reply.ok()) return;
         lease_ = reply.lease;
         leading_ = true;
         renewed_ = now;
         actions_.push_back(LeadershipWon{lease_});
       });
}

}  // namespace millrace::worker
