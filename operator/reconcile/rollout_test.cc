#include "operator/reconcile/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/reconcile/simulated_cluster.h"
#include "operator/resources/revision.h"

namespace millrace::controller {
namespace {

using std::chrono::minutes;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

constexpr TimePoint kNow{std::chrono::hours(24)};
BuildOptions Options() { return {.image = "millrace:0.1.0", .pull_secrets = {}}; }

RolloutFacts Asks(const std::string& revision, const std::string& committed = "") {
  return {.asked = revision,
          .generation = 4,
          .committed = committed,
          .runs = true,
          .deadline = minutes(10),
          .may_return = true};
}

// Revision "old" is good, "new" is asked for since kNow.
RolloutRecord Trying() {
  RolloutRecord record = Advance({}, Asks("old"), kNow - minutes(60));
  record = Advance(record, Asks("old", "old"), kNow - minutes(50));
  return Advance(record, Asks("new", "old"), kNow);
}

struct AdvanceCase {
  const char* name;
  void (*change)(RolloutFacts&);
  minutes after;
  const char* revision;  // in force then
};

TEST(RolloutTest, ARevisionIsTakenBackWhenItsTimeRunsOutAndOnlyThen) {
  const AdvanceCase cases[] = {
      {"in time still", [](RolloutFacts&) {}, minutes(9), "new"},
      {"too late", [](RolloutFacts&) {}, minutes(10), "old"},
      {"failed too often", [](RolloutFacts& f) { f.failed = true; }, minutes(1), "old"},
      {"it committed", [](RolloutFacts& f) { f.committed = "new"; }, minutes(10), "new"},
      {"suspended", [](RolloutFacts& f) { f.runs = false; }, minutes(10), "new"},
      {"no roll-back", [](RolloutFacts& f) { f.deadline.reset(); }, minutes(10), "new"},
      {"nothing to return to", [](RolloutFacts& f) { f.may_return = false; }, minutes(10), "new"},
  };
  for (const AdvanceCase& c : cases) {
    RolloutFacts facts = Asks("new", "old");
    c.change(facts);
    EXPECT_EQ(Advance(Trying(), facts, kNow + c.after).revision, c.revision) << c.name;
  }
}

TEST(RolloutTest, TheSameFactsChangeNothingTheSecondTime) {
  for (const int after : {0, 9, 10, 60}) {
    const TimePoint now = kNow + minutes(after);
    const RolloutRecord once = Advance(Trying(), Asks("new", "old"), now);
    EXPECT_EQ(Advance(once, Asks("new", "old"), now), once) << after;
  }
}

TEST(RolloutTest, EachRolloutHasAGreaterNumberTheOneBackIncluded) {
  const RolloutRecord trying = Trying();
  const RolloutRecord back = Advance(trying, Asks("new", "old"), kNow + minutes(10));
  EXPECT_EQ(back.refused, "new");
  EXPECT_GT(back.number, trying.number);
  const RolloutRecord next = Advance(back, Asks("newer", "old"), kNow + minutes(11));
  EXPECT_EQ(next.revision, "newer");
  EXPECT_EQ(next.refused, "");
  EXPECT_GT(next.number, back.number);
}

TEST(RolloutTest, WithoutRollbackARefusedRevisionIsTriedAgain) {
  const RolloutRecord back = Advance(Trying(), Asks("new", "old"), kNow + minutes(10));
  RolloutFacts facts = Asks("new", "old");
  facts.deadline.reset();
  EXPECT_EQ(Advance(back, facts, kNow + minutes(11)).revision, "new");
}

TEST(RolloutTest, RemembersAFewRevisions) {
  RolloutRecord record;
  for (int i = 0; i < 9; ++i) record = Advance(record, Asks("r" + std::to_string(i)), kNow);
  EXPECT_THAT(record.history, ::testing::ElementsAre("r4", "r5", "r6", "r7", "r8"));
}

// Passes and the cluster's own moves until nothing happens.
void Settle(SimulatedCluster* cluster, TimePoint now) {
  for (int i = 0; i < 12; ++i) {
    cluster->Carry(MakePlan(cluster->world(), Options(), now), [] { return false; });
    cluster->Step(now);
  }
}

// A job that runs, and an edit of its image whose workers commit nothing.
SimulatedCluster Edited() {
  SimulatedCluster cluster({.job = SmallJob(), .errors = {}, .status = {}, .objects = {}});
  cluster.world().job.spec.upgrade.rollback = api::Rollback{.enabled = true};
  Settle(&cluster, kNow);
  cluster.commits = false;
  cluster.world().good = SnapshotOf(cluster.world().job.spec);
  cluster.world().job.spec.image = "millrace:broken";
  ++cluster.world().job.metadata.generation;
  Settle(&cluster, kNow);
  return cluster;
}

TEST(RollbackTest, ReturnsToTheSpecThatLastCommittedAndSaysSo) {
  SimulatedCluster cluster = Edited();
  const std::string broken = *cluster.world().status.revision;
  const Plan plan = MakePlan(cluster.world(), Options(), kNow + minutes(10));
  EXPECT_THAT(plan.events, Contains(Field(&Event::reason, "RolledBack")));
  ASSERT_FALSE(plan.actions.empty());
  EXPECT_THAT(plan.actions.back().object.json, HasSubstr(R"("image":"millrace:0.1.0")"));
  EXPECT_NE(plan.status.revision, broken);
  cluster.commits = true;
  Settle(&cluster, kNow + minutes(10));
  const api::JobStatus& status = cluster.world().status;
  EXPECT_EQ(status.phase, api::JobPhase::kRunning);
  EXPECT_EQ(status.conditions[1].status, api::JobCondition::Truth::kFalse) << "not what was asked";
  EXPECT_EQ(status.conditions[3].reason, "RolledBack");
  EXPECT_THAT(status.conditions[3].message, HasSubstr(broken));
}

TEST(RollbackTest, StaysUntilTheNextEditWhichIsTriedAtOnce) {
  SimulatedCluster cluster = Edited();
  Settle(&cluster, kNow + minutes(10));
  cluster.world().job.spec.workers = 5;  // keeps the refused revision
  ++cluster.world().job.metadata.generation;
  Settle(&cluster, kNow + minutes(60));
  EXPECT_EQ(cluster.world().memory.rollout.revision, cluster.world().memory.rollout.good);
  EXPECT_EQ(cluster.world().pods.total, 5);
  cluster.world().job.spec.image = "millrace:mended";
  ++cluster.world().job.metadata.generation;
  cluster.commits = true;
  Settle(&cluster, kNow + minutes(61));
  EXPECT_EQ(cluster.world().status.conditions[1].status, api::JobCondition::Truth::kTrue);
  EXPECT_EQ(cluster.world().memory.rollout.good, RevisionOf(cluster.world().job.spec));
}

TEST(RollbackTest, WithoutAGoodRevisionNothingIsTakenBack) {
  SimulatedCluster cluster = Edited();
  cluster.world().good.reset();
  const Plan plan = MakePlan(cluster.world(), Options(), kNow + minutes(60));
  EXPECT_THAT(plan.actions, ::testing::IsEmpty());
}

}  // namespace
}  // namespace millrace::controller
