// What the leader itself must check before it believes or says something, whatever the store
// refuses besides.
#include "crds/base/text.h"
#include "worker/coordination/cluster/leader_core_fixture.h"

namespace millrace::worker {
namespace {

class LeaderChecksTest : public LeaderCoreFixture {
 protected:
  // Batch 1 is planned and known to all.
  void RunOne() {
    RunThree();
    maker_.left = 1;
    leader_->OnTimer(now_);
    Pump();
    ASSERT_TRUE(Told<RunBatch>());
    sent_.clear();
  }
  void Compute() {
    for (int slot = 0; slot < 3; ++slot)
      Say(Member(slot), BatchComputed{leader_->generation().name, slot, 1});
  }
  void Prepare() {
    for (int slot = 0; slot < 3; ++slot) {
      (void)store_.Call(PutPrepared{leader_->generation().name, slot, 1, "r"});
      Say(Member(slot), BatchPrepared{leader_->generation().name, slot, 1, ""});
    }
  }
  std::string Member(int slot) const { return leader_->generation().seats[slot].member; }
  // The members of the last generation answer a new leader.
  void LeadAgain() {
    Lead();
    Answer("b");
    if (leader_->state() == LeaderCore::State::kGathering) Answer("c");
    ASSERT_EQ(leader_->state(), LeaderCore::State::kFencing);
  }
};

TEST_F(LeaderChecksTest, LedgersAreReadOnlyWhenEverySlotIsReady) {
  Lead();
  Answer("b");
  Answer("c");
  Pass(kGather);
  Say("a", ReadyToRun{leader_->generation().name, 0});
  Say("b", ReadyToRun{"0-of another generation", 1});
  Say("c", ReadyToRun{leader_->generation().name, 2});
  EXPECT_EQ(ledger_reads_, 0);
  Say("b", ReadyToRun{leader_->generation().name, 1});
  EXPECT_EQ(ledger_reads_, 1);
}

TEST_F(LeaderChecksTest, WhatLedgersHoldBeyondTheCommitIsSkipped) {
  RunOne();
  const std::string digest = store_.facts().plans.at(0).digest;
  LeadAgain();
  ledgers_.sinks["out"] = {1, HexEncode(digest), {{"s", 4}}};
  MakeReady();
  ASSERT_TRUE(store_.facts().generation->open);
  EXPECT_EQ(store_.facts().generation->skip.at("out").tasks.at(0).unit, 4);
}

TEST_F(LeaderChecksTest, ALedgerOfAnotherHistoryHaltsTheJob) {
  RunOne();
  LeadAgain();
  ledgers_.sinks["out"] = {1, "abcd", {}};
  MakeReady();
  EXPECT_TRUE(store_.facts().halt.starts_with("StateRolledBack")) << store_.facts().halt;
}

TEST_F(LeaderChecksTest, PlansThatDoNotFollowTheCommitHaltTheJob) {
  RunThree();
  (void)store_.Call(AppendPlan{
      store_.facts().lease.lease, leader_->generation().name, "", {1, "D1", "spec", "bytes"}});
  LeadAgain();
  MakeReady();
  EXPECT_TRUE(store_.facts().halt.starts_with("StateRolledBack: plan 1"));
}

TEST_F(LeaderChecksTest, TheFenceIsBeyondThatOfEverySink) {
  RunThree();
  const int64_t before = leader_->generation().fence;
  LeadAgain();
  ledgers_.fence = before + 10;
  MakeReady();
  ASSERT_EQ(leader_->state(), LeaderCore::State::kGathering) << "a sink knows a newer generation";
  Answer("b");
  Answer("c");
  EXPECT_GT(leader_->generation().fence, before + 10);
}

TEST_F(LeaderChecksTest, SlotsThatOnlyALedgerKnowsAreFencedToo) {
  RunThree();
  LeadAgain();
  ledgers_.slots = 7;
  MakeReady();
  ASSERT_EQ(leader_->state(), LeaderCore::State::kGathering);
  Answer("b");
  Answer("c");
  EXPECT_EQ(leader_->generation().max_slots, 7);
}

TEST_F(LeaderChecksTest, DeliversWhenEverySlotHasComputed) {
  RunOne();
  const std::string name = leader_->generation().name;
  Say(Member(0), BatchComputed{name, 0, 1});
  Say(Member(1), BatchComputed{"0-of another generation", 1, 1});
  Say(Member(2), BatchComputed{name, 2, 1});
  EXPECT_FALSE(Told<DeliverBatch>());
  Say(Member(1), BatchComputed{name, 1, 1});
  EXPECT_TRUE(Told<DeliverBatch>());
}

TEST_F(LeaderChecksTest, DeliversTheNextBatchOnlyAfterTheCommit) {
  RunThree();
  maker_.left = 2;
  leader_->OnTimer(now_);
  Pump();
  sent_.clear();
  for (int slot = 0; slot < 3; ++slot)
    Say(Member(slot), BatchComputed{leader_->generation().name, slot, 2});
  EXPECT_FALSE(Told<DeliverBatch>());
  Compute();
  Prepare();
  const auto last = std::find_if(sent_.rbegin(), sent_.rend(), [](const SendMessage& send) {
    return std::holds_alternative<DeliverBatch>(send.message.body);
  });
  ASSERT_NE(last, sent_.rend());
  EXPECT_EQ(std::get<DeliverBatch>(last->message.body).batch, 2);
  EXPECT_EQ(std::get<DeliverBatch>(last->message.body).commit.batch, 1);
}

TEST_F(LeaderChecksTest, DeliveryIsWrittenDownForSinksWithoutALedger) {
  announce_ = true;
  RunOne();
  Compute();
  EXPECT_TRUE(Told<DeliverBatch>());
  EXPECT_EQ(store_.facts().commit.delivering, 1);
}

TEST_F(LeaderChecksTest, CommitsWhenEverySlotHasReported) {
  RunOne();
  Compute();
  const std::string name = leader_->generation().name;
  for (int slot = 0; slot < 3; ++slot) (void)store_.Call(PutPrepared{name, slot, 1, "r"});
  Say(Member(0), BatchPrepared{name, 0, 1, ""});
  Say(Member(1), BatchPrepared{"0-of another generation", 1, 1, ""});
  Say(Member(2), BatchPrepared{name, 2, 1, ""});
  EXPECT_EQ(commits_, 0);
  Say(Member(1), BatchPrepared{name, 1, 1, ""});
  EXPECT_EQ(commits_, 1);
  EXPECT_EQ(leader_->commit().batch, 1);
}

TEST_F(LeaderChecksTest, ACommitWhoseReplyIsLostCountsWhenTheStoreHasIt) {
  RunOne();
  lose_commit_ = [this](const CommitBatch& commit) { (void)store_.Call(commit); };
  Compute();
  Prepare();
  EXPECT_EQ(commits_, 1);
  EXPECT_EQ(leader_->commit().batch, 1);
  EXPECT_TRUE(Told<BatchCommitted>());
}

TEST_F(LeaderChecksTest, ACommitThatNeverArrivedIsSentAgain) {
  RunOne();
  lose_commit_ = [](const CommitBatch&) {};
  Compute();
  Prepare();
  EXPECT_EQ(commits_, 2);
  EXPECT_EQ(store_.facts().commit.batch, 1);
}

TEST_F(LeaderChecksTest, TheSameBatchCommittedByAnotherGenerationIsNotItsOwn) {
  RunOne();
  lose_commit_ = [this](const CommitBatch& commit) {  // a successor was faster
    const LeaseRecord held = store_.facts().lease;
    const Lease lease =
        store_.Call(AcquireLease{held.lease.token, held.beat, "other", "b", "b", 0}).lease;
    Generation next = *store_.facts().generation;
    next.fence += 1;
    next.name = "other";
    (void)store_.Call(NewGeneration{lease, store_.facts().commit, 0, next});
    for (int slot = 0; slot < 3; ++slot) (void)store_.Call(MarkReady{"other", slot, {}});
    (void)store_.Call(OpenGeneration{lease, {}, next});
    for (int slot = 0; slot < 3; ++slot) (void)store_.Call(PutPrepared{"other", slot, 1, "r"});
    ASSERT_TRUE(store_.Call(CommitBatch{lease, "other", 1, commit.digest, "", {}}).ok());
  };
  Compute();
  Prepare();
  EXPECT_FALSE(Told<BatchCommitted>());
}

TEST_F(LeaderChecksTest, ALeaderWhoseLeaseIsAnothersEnds) {
  RunThree();
  const LeaseRecord held = store_.facts().lease;
  ASSERT_TRUE(store_.Call(AcquireLease{held.lease.token, held.beat, "other", "b", "b", 0}).ok());
  maker_.left = 1;
  leader_->OnTimer(now_);
  Pump();
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(end_.ok());
}

}  // namespace
}  // namespace millrace::worker
