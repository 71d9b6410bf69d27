// The leader's view of the members: who lives, who may sit, when the seats must change (protocol
// sections 4 and 5).
#include <algorithm>
#include <utility>

#include "worker/coordination/cluster/leader_core.h"

namespace millrace::worker {
namespace {

// The record of a member that has been dead for so many timeouts is removed.
constexpr int kForgetAfterTimeouts = 10;

}  // namespace

void LeaderCore::NoteMembers(const JobFacts& facts, MonotonicTime now) {
  facts_.members = facts.members;
  std::erase_if(watched_, [&](const auto& entry) { return !facts.members.contains(entry.first); });
  std::erase_if(left_out_, [&](const auto& entry) { return now >= entry.second; });
  for (const auto& [member, record] : facts.members) {
    Watched& watched = watched_[member];
    if (watched.beat < 0) {
      watched.moved = now;  // alive only once it is seen to move, or answers
    } else if (watched.beat != record.beat) {
      watched.moved = now;
      watched.alive = true;
    }
    watched.beat = record.beat;
    if (now - watched.moved >= config_.member_timeout) watched.alive = false;
  }
}

// Records of members that were killed would gather without end.
void LeaderCore::ForgetDead(MonotonicTime now) {
  for (const auto& [member, watched] : watched_) {
    if (member == self_.member || generation_.SlotOf(member) >= 0) continue;
    if (now - watched.moved < kForgetAfterTimeouts * config_.member_timeout) continue;
    Call(BeatMember{member, {}, {facts_.commit.batch, facts_.commit.digest}, true},
         [](const StoreReply&, MonotonicTime) {});
  }
}

// Whether a member may have a seat, if it lives.
bool LeaderCore::CanSit(const std::string& member, const MemberRecord& record) const {
  return !record.leaving && record.spec_hash == config_.spec.hash && !left_out_.contains(member);
}

// Members that answered, those of the last generation first and in its order, so that slots stay.
std::vector<Seat> LeaderCore::ChooseSeats() const {
  std::vector<Seat> seats;
  const Generation previous = facts_.generation.value_or(Generation{});
  const auto sit = [&](const std::string& member) {
    const auto record = facts_.members.find(member);
    if (record == facts_.members.end() || !CanSit(member, record->second)) return;
    if (present_.contains(member)) seats.push_back({member, record->second.address});
  };
  for (const Seat& seat : previous.seats) sit(seat.member);
  for (const auto& [member, record] : facts_.members) {
    if (previous.SlotOf(member) < 0) sit(member);
  }
  return seats;
}

// Whether nobody is missing: who sat in the last generation, or is seen to live, has answered or is
// known to be dead.
bool LeaderCore::AllPresent(MonotonicTime now) const {
  const Generation previous = facts_.generation.value_or(Generation{});
  return std::all_of(facts_.members.begin(), facts_.members.end(), [&](const auto& entry) {
    const auto& [member, record] = entry;
    if (present_.contains(member) || !CanSit(member, record)) return true;
    const auto watched = watched_.find(member);
    if (watched == watched_.end()) return true;
    const bool dead = now - watched->second.moved >= config_.member_timeout;
    return dead || (previous.SlotOf(member) < 0 && !watched->second.alive);
  });
}

// Asks those that have not answered.
void LeaderCore::CallRoll() {
  for (const auto& [member, record] : facts_.members) {
    if (!present_.contains(member) && CanSit(member, record))
      Send({member, record.address}, RollCall{lease_.epoch, roll_});
  }
}

void LeaderCore::Handle(const Present& body, const std::string& member, MonotonicTime now) {
  const auto record = facts_.members.find(member);
  if (body.epoch != lease_.epoch || body.number != roll_ || record == facts_.members.end()) return;
  present_.insert(member);
  Watched& watched = watched_[member];
  watched.moved = now;
  watched.alive = true;
  if (state_ == State::kGathering && facts_.generation && AllPresent(now))
    return MakeGeneration(now);
  if (state_ != State::kRunning || generation_.SlotOf(member) >= 0) return;
  if (CanSit(member, record->second) && generation_.slots() < config_.spec.groups)
    change_wanted_ = true;
  Advance(now);
}

void LeaderCore::OnLeaving(const std::string& member, MonotonicTime now) {
  const auto record = facts_.members.find(member);
  if (record != facts_.members.end()) record->second.leaving = true;
  if (generation_.SlotOf(member) >= 0) change_wanted_ = true;
  if (state_ == State::kRunning) Advance(now);
}

// A member that was lost needs a new generation now; one that joined or leaves, at the next pause.
void LeaderCore::WatchMembers(MonotonicTime now) {
  for (int slot = 0; slot < generation_.slots(); ++slot) {
    const std::string& member = generation_.seats[slot].member;
    const auto record = facts_.members.find(member);
    if (record == facts_.members.end()) return Restart("member " + member + " is gone", now);
    if (member != self_.member && !watched_[member].alive)
      return Restart("member " + member + " is silent", now);
    if (record->second.leaving) change_wanted_ = true;
  }
  if (state_ != State::kRunning) return;
  ForgetDead(now);
  for (const auto& [member, record] : facts_.members) {
    if (generation_.SlotOf(member) >= 0) present_.insert(member);
    // Some answered when the seats were already dealt out.
    else if (present_.contains(member) && watched_[member].alive && CanSit(member, record) &&
             generation_.slots() < config_.spec.groups)
      change_wanted_ = true;
  }
  CallRoll();
  YieldToOtherSpec(now);
  Advance(now);
}

}  // namespace millrace::worker
