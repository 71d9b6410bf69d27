#include "crds/base/text.h"
#include "worker/coordination/batch_plan.h"
#include "worker/coordination/cluster/leader_core_fixture.h"

namespace millrace::worker {
namespace {

// Three members run a job whose batch 1 has ten records in each of two ranges.
class LeaderPoisonTest : public LeaderCoreFixture {
 protected:
  static BatchPlan Plan(int64_t batch) {
    BatchPlan plan;
    plan.batch = batch;
    plan.sources.resize(1);
    plan.sources[0].name = "in";
    plan.sources[0].ranges = {{0, "0", "10", "", 10}, {1, "0", "10", "", 10}};
    return plan;
  }

  // The job runs, with so many plans beyond its commit.
  void RunWithPlans(int count, bool bisect = true) {
    RunThree();
    leader_->SetPoison(3, bisect);
    const std::string name = leader_->generation().name;
    std::string digest;
    for (int batch = 1; batch <= count; ++batch) {
      const std::string bytes = EncodePlan(Plan(batch));
      const std::string before = std::exchange(digest, PlanDigest(digest, bytes));
      ASSERT_TRUE(store_
                      .Call(AppendPlan{
                          store_.facts().lease.lease, name, before, {batch, digest, "spec", bytes}})
                      .ok());
    }
    Fail(0, AbortedError("read the plans"));
    Again();
    ASSERT_EQ(leader_->state(), LeaderCore::State::kRunning);
    sent_.clear();
  }

  void Fail(int64_t batch, const Status& status) {
    const std::string name = leader_->generation().name;
    Say("b", TaskFailed{name, 1, batch, status.code(), status.message()});
  }

  // The generation that comes next, ready.
  void Again() {
    for (const char* member : {"b", "c"}) {
      if (leader_->state() == LeaderCore::State::kGathering) Answer(member);
    }
    ASSERT_EQ(leader_->state(), LeaderCore::State::kFencing);
    MakeReady();
  }

  void FailThrice(int64_t batch) {
    for (int attempt = 1; attempt <= 3; ++attempt) {
      Fail(batch, InvalidError("division by zero"));
      if (!ended_) Again();
    }
  }

  const ProbeBatch& LastProbe() const {
    for (auto send = sent_.rbegin(); send != sent_.rend(); ++send) {
      if (const auto* probe = std::get_if<ProbeBatch>(&send->message.body)) return *probe;
    }
    ADD_FAILURE() << "nobody was told to probe";
    static const ProbeBatch kNone;
    return kNone;
  }

  void Succeed(const std::vector<RangeRecords>& counts = {}) {
    const std::string name = leader_->generation().name;
    Say("a", BatchProbed{name, 0, counts});
    Say("b", BatchProbed{name, 1, {}});
    Say("c", BatchProbed{name, 2, {}});
  }

  // Probes on while record `poison` of partition 1 fails, until no probe is wanted any more.
  void Search(int64_t poison) {
    while (leader_->state() == LeaderCore::State::kProbing) {
      const ProbeBatch probe = LastProbe();
      ASSERT_EQ(probe.generation, leader_->generation().name);
      const Result<BatchPlan> plan = DecodePlan(probe.plan.bytes);
      if (probe.count) {
        Succeed({{0, 0, 10}, {0, 1, 10}});
      } else if (probe.limits.at(1).records > poison && plan->exclusions.empty()) {
        Fail(plan->batch, InvalidError("division by zero"));
      } else {
        Succeed();
      }
      if (!ended_) Again();
    }
  }
};

TEST_F(LeaderPoisonTest, LeavesTheRecordThatFailsOutOfThePlan) {
  RunWithPlans(2);
  FailThrice(1);
  ASSERT_EQ(leader_->state(), LeaderCore::State::kProbing);
  Search(6);
  Again();  // after the plan was replaced
  ASSERT_EQ(leader_->state(), LeaderCore::State::kRunning);
  ASSERT_EQ(store_.facts().plans.size(), 1u);  // what was planned behind it is planned anew
  const PlanEntry& entry = store_.facts().plans[0];
  const Result<BatchPlan> plan = DecodePlan(entry.bytes);
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->exclusions.size(), 1u);
  EXPECT_EQ(plan->exclusions[0].partition, 1);
  EXPECT_EQ(plan->exclusions[0].index, 6);
  EXPECT_EQ(plan->exclusions[0].message, "division by zero");
  EXPECT_EQ(entry.digest, PlanDigest("", entry.bytes));
}

TEST_F(LeaderPoisonTest, NeverOpensAGenerationThatProbed) {
  RunWithPlans(1);
  FailThrice(1);
  const std::string probed = leader_->generation().name;
  Succeed({{0, 0, 10}, {0, 1, 10}});
  Again();
  EXPECT_NE(leader_->generation().name, probed);
  EXPECT_FALSE(store_.facts().generation->open);
}

TEST_F(LeaderPoisonTest, FinishesTheBatchBeforeFirst) {
  RunWithPlans(2);
  FailThrice(2);
  ASSERT_EQ(leader_->state(), LeaderCore::State::kRunning);
  for (const SendMessage& send : sent_) {
    const auto* run = std::get_if<RunBatch>(&send.message.body);
    EXPECT_FALSE(run && run->generation == leader_->generation().name && run->plan.batch == 2);
  }
  const std::string name = leader_->generation().name;
  for (int slot = 0; slot < 3; ++slot) {
    (void)store_.Call(PutPrepared{name, slot, 1, ""});
    Say("a", BatchComputed{name, slot, 1});
    Say("a", BatchPrepared{name, slot, 1, ""});
  }
  EXPECT_EQ(store_.facts().commit.batch, 1);
  Again();
  EXPECT_EQ(leader_->state(), LeaderCore::State::kProbing);
}

TEST_F(LeaderPoisonTest, HaltsWhenSomeOfTheOutputIsWritten) {
  RunWithPlans(1);
  ledgers_.sinks["out"] = {1, HexEncode(store_.facts().plans[0].digest), {}};
  FailThrice(1);
  Search(0);
  EXPECT_TRUE(ended_);
  EXPECT_NE(store_.facts().halt.find("some of its output is written"), std::string::npos);
}

TEST_F(LeaderPoisonTest, HaltsWithTheFailureWhenTheBatchComputes) {
  RunWithPlans(1);
  FailThrice(1);
  Search(10);  // no record fails: the output was refused
  EXPECT_TRUE(ended_);
  EXPECT_EQ(store_.facts().halt, "batch 1: failed 3 times: division by zero");
}

TEST_F(LeaderPoisonTest, ProbesAgainWhatAnotherCauseEnded) {
  RunWithPlans(1);
  FailThrice(1);
  Fail(1, UnavailableError("connection lost"));
  Again();
  ASSERT_EQ(leader_->state(), LeaderCore::State::kProbing);
  EXPECT_TRUE(LastProbe().count);
}

TEST_F(LeaderPoisonTest, HaltsWhereItIsNotAskedToBisect) {
  RunWithPlans(1, false);
  FailThrice(1);
  EXPECT_TRUE(ended_);
  EXPECT_EQ(store_.facts().halt, "batch 1: failed 3 times: division by zero");
}

}  // namespace
}  // namespace millrace::worker
