#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/coordination/cluster/actions.h"

namespace millrace::worker {

// A member's heart: tells the store that it lives, and holds or tries to get the leader's lease
// (protocol section 4).
//   leader      renews each third of the lease time; gives up when the store says so, or has not
//               answered for a whole lease time
//   candidate   looks each third of the lease time, and when its wait is over; acquires when it saw
//               the same (token, beat) for a whole lease time of its own monotonic clock without
//               an error in between, or when the lease was released; where another spec should
//               run (SpecToRun), it waits a whole lease time longer for a member of that one
// Guarantee: none of safety, which rests on the store's checks; two processes may believe to lead
// for a while. Never reads the store's clock. Loop thread only, and one that no batch keeps
// waiting.
class LeaseCore {
 public:
  struct Config {
    Duration lease{0};
    int64_t spec_gen = 0;
    std::string spec_hash;
    bool may_lead = true;
  };
  LeaseCore(Config config, Seat self, std::function<std::string()> new_token);

  void OnTimer(MonotonicTime now);
  MonotonicTime next_timer() const { return next_; }
  // What the member knows to be committed goes with the next beat.
  void Know(const KnownCommit& commit) { known_ = commit; }
  // The lease was given back by its holder: try at once.
  void OnLeaseFreed(MonotonicTime now) { next_ = now; }
  // No longer a candidate; the record says so, so that the leader plans without this member.
  void Leave(MonotonicTime now);
  // Removes the member's record: the last words.
  void SayGone();
  // The leader core ended by itself: the lease is released or somebody else's.
  void OnLeadershipEnded() { leading_ = false; }

  bool leading() const { return leading_; }
  // The store answers and has no such job.
  bool job_lost() const { return job_lost_; }
  // What was last read; null before. For status and to learn of commits whose message was lost.
  const std::shared_ptr<const JobFacts>& facts() const { return facts_; }
  std::vector<Action> TakeActions();

 private:
  void Call(StoreRequest request, std::function<void(const StoreReply&, MonotonicTime)> done);
  void Renew();
  void Observe();
  void Consider(MonotonicTime now);
  void NoteMembers(MonotonicTime now);
  bool IsMyTurn(MonotonicTime now) const;
  void Acquire(const LeaseRecord& record);
  void Beat();
  void Lose();

  Config config_;
  Seat self_;
  std::function<std::string()> new_token_;
  MonotonicTime next_ = MonotonicTime::min();
  KnownCommit known_;
  int64_t beat_ = 0;
  bool leaving_ = false;
  bool leading_ = false;
  bool asking_ = false;  // an Acquire is on its way
  bool job_lost_ = false;
  Lease lease_;
  MonotonicTime renewed_;
  std::string seen_token_;
  int64_t seen_beat_ = -1;
  MonotonicTime seen_since_;
  std::optional<MonotonicTime> free_since_;  // the lease is released, and nobody took it
  struct Seen {
    int64_t beat = 0;
    MonotonicTime since;
  };
  std::map<std::string, Seen> members_;  // their beats, and since when they stand
  std::shared_ptr<const JobFacts> facts_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::vector<Action> actions_;
};

}  // namespace millrace::worker
