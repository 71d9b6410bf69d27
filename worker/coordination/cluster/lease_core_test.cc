#include "worker/coordination/cluster/lease_core.h"

#include <gtest/gtest.h>

#include "worker/coordination/cluster/model_job_store.h"

namespace millrace::worker {
namespace {

using std::chrono::milliseconds;

constexpr Duration kLease = milliseconds(3000);
constexpr Duration kLook = kLease / 3;

// A candidate "b" before a store whose lease "a" has held since before.
class LeaseTimingTest : public testing::Test {
 protected:
  LeaseTimingTest() {
    (void)store_.Call(InitJob{0, "spec", ""});
    held_ = store_.Call(AcquireLease{"", 0, "token-a", "a", "a", 0}).lease;
  }

  // Replies come `latency_` after the request, or not at all.
  void Pump() {
    for (std::vector<Action> actions = core_.TakeActions(); !actions.empty();
         actions = core_.TakeActions()) {
      for (Action& action : actions) {
        if (std::holds_alternative<LeadershipWon>(action)) won_at_ = now_;
        if (std::holds_alternative<LeadershipLost>(action)) lost_at_ = now_;
        auto* call = std::get_if<CallStore>(&action);
        if (call == nullptr) continue;
        looks_ += std::holds_alternative<ReadJob>(call->request) ? 1 : 0;
        now_ += latency_;
        call->done(answers_ ? store_.Call(call->request)
                            : StoreReply{StoreCode::kUnavailable, "down", nullptr, {}, {}},
                   now_);
      }
    }
  }

  void PassUntil(MonotonicTime until) {
    while (core_.next_timer() <= until) {
      now_ = std::max(now_, core_.next_timer());
      core_.OnTimer(now_);
      Pump();
    }
    now_ = std::max(now_, until);
  }
  void Pass(Duration time) { PassUntil(now_ + time); }
  void Renew() { ASSERT_TRUE(store_.Call(RenewLease{held_}).ok()); }

  MonotonicTime now_{std::chrono::seconds(100)};
  Duration latency_{0};
  bool answers_ = true;
  int looks_ = 0;
  ModelJobStore store_;
  Lease held_;
  LeaseCore core_{{kLease, 0, "spec", true}, {"b", "b"}, [] { return "token-b"; }};
  MonotonicTime won_at_;
  MonotonicTime lost_at_;
};

TEST_F(LeaseTimingTest, SaysThatTheJobIsLost) {
  store_.Clear();
  Pass(Duration::zero());
  EXPECT_TRUE(core_.job_lost());
}

TEST_F(LeaseTimingTest, TakesTheLeaseWhenItEndsAndNotALookLater) {
  latency_ = milliseconds(7);  // a look comes a little too early for the end of the lease
  Pass(Duration::zero());
  const MonotonicTime seen = now_;
  latency_ = milliseconds(1);
  Pass(2 * kLease);
  EXPECT_GE(won_at_ - seen, kLease);
  EXPECT_LE(won_at_ - seen, kLease + milliseconds(5));
}

TEST_F(LeaseTimingTest, LooksNoMoreOftenWhileTheLeaseIsRenewed) {
  for (int i = 0; i < 30; ++i) {
    Renew();
    Pass(kLook);
  }
  EXPECT_EQ(won_at_, MonotonicTime());
  EXPECT_LE(looks_, 31);
}

TEST_F(LeaseTimingTest, ARenewalBeginsTheWaitAgain) {
  Pass(kLease - milliseconds(1));
  Renew();
  const MonotonicTime renewed = now_;
  Pass(2 * kLease);
  EXPECT_GE(won_at_ - renewed, kLease);
  EXPECT_LE(won_at_ - renewed, kLease + kLook);
}

TEST_F(LeaseTimingTest, AStoreThatWasAwayBeginsTheWaitAgain) {
  Pass(2 * kLook);
  answers_ = false;
  Pass(kLook);
  answers_ = true;
  const MonotonicTime back = now_;
  Pass(2 * kLease);
  EXPECT_GE(won_at_ - back, kLease);
}

TEST_F(LeaseTimingTest, AFreedLeaseIsTakenAtTheNextLook) {
  Pass(milliseconds(1));
  ASSERT_TRUE(store_.Call(ReleaseLease{held_}).ok());
  core_.OnLeaseFreed(now_);
  Pass(Duration::zero());
  EXPECT_EQ(won_at_, now_);
}

TEST_F(LeaseTimingTest, ALeaderThatHearsNothingForALeaseGivesUp) {
  Pass(2 * kLease);
  ASSERT_TRUE(core_.leading());
  answers_ = false;
  const MonotonicTime silent = now_;
  Pass(2 * kLease);
  EXPECT_FALSE(core_.leading());
  EXPECT_LE(lost_at_ - silent, kLease + kLook);
}

TEST_F(LeaseTimingTest, ALeaderWhoseLeaseIsAnothersGivesUpAtOnce) {
  Pass(2 * kLease);
  const LeaseRecord& lease = store_.facts().lease;
  ASSERT_TRUE(
      store_.Call(AcquireLease{lease.lease.token, lease.beat, "token-c", "c", "c", 0}).ok());
  Pass(kLook);
  EXPECT_FALSE(core_.leading());
}

// Where another spec runs, whoever has it goes first; both waits end when they end.
TEST_F(LeaseTimingTest, AnotherSpecsMemberWaitsALeaseLongerAndNoMore) {
  LeaseCore other({kLease, 0, "other", true}, {"c", "c"}, [] { return "token-c"; });
  const MemberRecord runs{"a", 0, "spec", 1, false};
  (void)store_.Call(BeatMember{"a", runs, {}, false});
  MonotonicTime won;
  int64_t beat = 1;
  const MonotonicTime begin = now_;
  while (won == MonotonicTime() && now_ - begin < 4 * kLease) {
    now_ = std::max(now_, other.next_timer());
    (void)store_.Call(BeatMember{"a", {"a", 0, "spec", ++beat, false}, {}, false});
    other.OnTimer(now_);
    for (Action& action : other.TakeActions()) {
      auto& call = std::get<CallStore>(action);
      call.done(store_.Call(call.request), now_);
    }
    for (Action& action : other.TakeActions()) {
      auto* call = std::get_if<CallStore>(&action);
      if (call != nullptr) call->done(store_.Call(call->request), now_);
    }
    if (other.leading()) won = now_;
  }
  EXPECT_EQ(won - begin, 2 * kLease);
}

}  // namespace
}  // namespace millrace::worker
