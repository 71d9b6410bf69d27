#include "operator/runtime/leader_election.h"

#include <gmock/gmock.h>

#include <random>

#include "operator/kube/scripted_transport.h"

namespace millrace::controller {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

ScriptedAnswer LeaseOf(const std::string& holder, const std::string& version) {
  return {.body = WriteLease("ns", "op",
                             {.holder = holder,
                              .duration_seconds = 15,
                              .renewed = "t" + version,
                              .transitions = 4,
                              .resource_version = version})};
}

struct Candidate {
  explicit Candidate(std::vector<ScriptedAnswer> answers)
      : script(std::move(answers), {.max_attempts = 1}),
        election(script.client.get(), &script.clock, {.ns = "ns", .name = "op", .identity = "me"}) {
  }
  bool Acquire() { return election.Acquire(script.transport->stop().get_token()); }
  ScriptedClient script;
  LeaderElection election;
};

TEST(LeaderElectionTest, MakesTheLeaseThatIsNotThere) {
  Candidate me({{.status = 404, .body = "{}"}, LeaseOf("me", "1")});
  EXPECT_FALSE(me.election.leading());
  EXPECT_TRUE(me.Acquire());
  EXPECT_TRUE(me.election.leading());
  EXPECT_EQ(me.script.calls()[1].method, "POST");
}

TEST(LeaderElectionTest, LeavesALeaseAloneThatIsRenewed) {
  std::vector<ScriptedAnswer> answers;
  for (int i = 0; i < 40; ++i) answers.push_back(LeaseOf("other", std::to_string(i)));
  Candidate me(answers);
  EXPECT_FALSE(me.Acquire());
  for (const HttpCall& call : me.script.calls()) EXPECT_EQ(call.method, "GET");
}

TEST(LeaderElectionTest, TakesALeaseThatWasNotRenewedForItsDuration) {
  std::vector<ScriptedAnswer> answers(9, LeaseOf("other", "7"));
  answers.push_back(LeaseOf("me", "8"));
  Candidate me(answers);
  EXPECT_TRUE(me.Acquire());
  const HttpCall last = me.script.calls().back();
  EXPECT_EQ(last.method, "PUT");
  EXPECT_THAT(last.body, HasSubstr(R"("resourceVersion":"7")"));
  EXPECT_THAT(last.body, HasSubstr(R"("leaseTransitions":5)"));
  EXPECT_GE(me.script.clock.Now() - TimePoint{}, seconds(15));
}

TEST(LeaderElectionTest, LosesARaceForTheLease) {
  Candidate me({LeaseOf("", "7"), {.status = 409, .body = "{}"}, LeaseOf("other", "8")});
  EXPECT_FALSE(me.Acquire());
  EXPECT_FALSE(me.election.leading());
}

TEST(LeaderElectionTest, LeadsNoLongerThanTheDeadlineWhenItCannotRenew) {
  std::vector<ScriptedAnswer> answers = {{.status = 404, .body = "{}"}, LeaseOf("me", "1")};
  answers.insert(answers.end(), 20, {.status = 500, .body = "{}"});
  Candidate me(answers);
  ASSERT_TRUE(me.Acquire());
  const TimePoint begun = me.script.clock.Now();
  EXPECT_FALSE(me.election.Hold({}));
  EXPECT_FALSE(me.election.leading());
  EXPECT_LE(me.script.clock.Now() - begun, seconds(13));
}

TEST(LeaderElectionTest, AProcessThatWasFrozenDoesNotLeadWhenItWakes) {
  Candidate me({{.status = 404, .body = "{}"}, LeaseOf("me", "1")});
  ASSERT_TRUE(me.Acquire());
  me.script.clock.Advance(seconds(30));
  EXPECT_FALSE(me.election.leading());
  EXPECT_FALSE(me.election.Hold({})) << "no call is needed to know";
  EXPECT_EQ(me.script.calls().size(), 2u);
}

TEST(LeaderElectionTest, ReleasesTheLeaseForOthers) {
  Candidate me({{.status = 404, .body = "{}"}, LeaseOf("me", "1"), LeaseOf("", "2")});
  ASSERT_TRUE(me.Acquire());
  me.election.Release();
  EXPECT_FALSE(me.election.leading());
  EXPECT_THAT(me.script.calls().back().body, HasSubstr(R"("holderIdentity":"")"));
}

// Two candidates, a server that refuses stale versions, clocks that stop for random times: never do
// both lead.
TEST(LeaderElectionTest, TwoNeverLeadAtTheSameTimeHoweverTheyAreFrozen) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    LeaseRecord lease;
    int version = 0;
    struct State {
      MonotonicTime seen_at;
      LeaseRecord seen;
      MonotonicTime leads_until;
    } states[2];
    const char* names[2] = {"a", "b"};
    MonotonicTime now(seconds(100));
    for (int step = 0; step < 400; ++step) {
      now += std::chrono::milliseconds(random() % 4000);
      const int who = static_cast<int>(random() % 2);
      State& me = states[who];
      if (random() % 5 == 0) continue;  // frozen
      if (lease != me.seen || step < 2) me.seen_at = now;
      me.seen = lease;
      const LeaseMove move = Decide(lease, names[who], now - me.seen_at);
      if (move == LeaseMove::kWait) continue;
      lease.holder = names[who];
      lease.duration_seconds = 15;
      lease.resource_version = std::to_string(++version);
      me.seen = lease;
      me.seen_at = now;
      me.leads_until = now + seconds(10);
      ASSERT_FALSE(states[1 - who].leads_until > now) << "seed " << seed << " step " << step;
    }
    EXPECT_GT(version, 10) << "seed " << seed;
  }
}

}  // namespace
}  // namespace millrace::controller
