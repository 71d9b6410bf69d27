#include "operator/reconcile/restarts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/reconcile/simulated_cluster.h"

namespace millrace::controller {
namespace {

using std::chrono::minutes;

constexpr TimePoint kNow{std::chrono::hours(24)};

api::RestartPolicy Most(int64_t restarts) {
  api::RestartPolicy policy;
  policy.max_restarts = restarts;
  return policy;
}

TEST(RestartsTest, CountsWhatPodsGainAndForgetsNothingWhenPodsGo) {
  RestartRecord record = CountRestarts({}, Most(10), 3, 1, kNow);
  record = CountRestarts(record, Most(10), 0, 1, kNow);
  record = CountRestarts(record, Most(10), 2, 1, kNow);
  EXPECT_EQ(record.count, 5);
  EXPECT_EQ(CountRestarts(record, Most(10), 2, 1, kNow), record);
}

TEST(RestartsTest, BeginsAnewAfterAHealthySpell) {
  const RestartRecord record = CountRestarts({}, Most(10), 3, 1, kNow);
  EXPECT_EQ(CountRestarts(record, Most(10), 3, 1, kNow + minutes(9)).count, 3);
  EXPECT_EQ(CountRestarts(record, Most(10), 3, 1, kNow + minutes(10)).count, 0);
}

TEST(RestartsTest, GivesUpBeyondTheLimitAndTriesTheNextAttempt) {
  RestartRecord record = CountRestarts({}, Most(3), 3, 7, kNow);
  EXPECT_FALSE(record.gave_up.has_value());
  record = CountRestarts(record, Most(3), 4, 7, kNow);
  EXPECT_EQ(record.gave_up, 7);
  EXPECT_EQ(CountRestarts(record, Most(3), 0, 7, kNow + minutes(60)).gave_up, 7);
  const RestartRecord next = CountRestarts(record, Most(3), 0, 8, kNow);
  EXPECT_EQ(next.count, 0);
  EXPECT_FALSE(next.gave_up.has_value());
}

TEST(RestartsTest, WithoutALimitNeverGivesUp) {
  EXPECT_FALSE(CountRestarts({}, {}, 1'000'000, 1, kNow).gave_up.has_value());
}

SimulatedCluster Running(int64_t most) {
  SimulatedCluster cluster({.job = SmallJob(), .errors = {}, .status = {}, .objects = {}});
  cluster.world().job.spec.restart_policy = Most(most);
  for (int i = 0; i < 8; ++i) {
    cluster.Carry(MakePlan(cluster.world(), {.image = "i", .pull_secrets = {}}, kNow),
                  [] { return false; });
    cluster.Step(kNow);
  }
  return cluster;
}

TEST(RestartsTest, AJobThatFailsTooOftenIsStoppedAndSaysWhy) {
  SimulatedCluster cluster = Running(2);
  cluster.world().pods.restarts = 3;
  cluster.world().pods.failure = "exit code 1 (Error): no route to redis";
  const Plan plan = MakePlan(cluster.world(), {.image = "i", .pull_secrets = {}}, kNow);
  EXPECT_EQ(plan.status.phase, api::JobPhase::kFailed);
  EXPECT_EQ(plan.status.workers.desired, 0);
  EXPECT_EQ(plan.status.restarts, 3);
  EXPECT_EQ(plan.status.conditions[3].reason, "TooManyRestarts");
  EXPECT_THAT(plan.status.conditions[3].message, ::testing::HasSubstr("no route to redis"));
}

TEST(RestartsTest, ACrashLoopIsFailedWhileItLasts) {
  SimulatedCluster cluster = Running(10);
  cluster.world().pods.crashing = cluster.world().pods.total;
  cluster.world().report.reset();
  const Plan plan = MakePlan(cluster.world(), {.image = "i", .pull_secrets = {}}, kNow);
  EXPECT_EQ(plan.status.phase, api::JobPhase::kFailed);
  EXPECT_EQ(plan.status.conditions[3].reason, "CrashLoop");
  EXPECT_EQ(plan.status.workers.desired, 2) << "the kubelet goes on trying";
}

}  // namespace
}  // namespace millrace::controller
