#include "worker/coordination/cluster/leader_core_fixture.h"

namespace millrace::worker {
namespace {

class LeaderCoreTest : public LeaderCoreFixture {};

TEST_F(LeaderCoreTest, ANewLeaderNeedNotWaitWhenTheLastGenerationAnswers) {
  RunThree();
  Lead();
  Answer("b");
  EXPECT_EQ(leader_->state(), LeaderCore::State::kGathering);
  Answer("c");
  EXPECT_EQ(leader_->state(), LeaderCore::State::kFencing);
  EXPECT_EQ(leader_->generation().slots(), 3);
}

TEST_F(LeaderCoreTest, WhoDoesNotAnswerInTimeHasNoSeat) {
  RunThree();
  Lead();
  Answer("c");
  Pass(kGather);
  EXPECT_EQ(leader_->state(), LeaderCore::State::kFencing);
  EXPECT_EQ(leader_->generation().slots(), 2);
  EXPECT_EQ(leader_->generation().SlotOf("b"), -1);
}

TEST_F(LeaderCoreTest, FindsMembersThatStartAtTheSameTime) {
  Lead();
  Beat("d");
  Pass(kGather / 2);
  for (const char* member : {"b", "c", "d"}) Answer(member);
  Pass(kGather);
  EXPECT_EQ(leader_->generation().slots(), 4);
}

TEST_F(LeaderCoreTest, AMemberThatFallsSilentWhileFencingIsNotWaitedFor) {
  RunThree();
  Lead();
  Answer("b");
  Answer("c");
  const std::string generation = leader_->generation().name;
  for (int i = 0; i < 20 && leader_->reason() == "new leader"; ++i) {
    Beat("c");
    Pass(milliseconds(200));
  }
  EXPECT_EQ(leader_->reason(), "member b is silent");
  Answer("c");
  EXPECT_EQ(leader_->generation().slots(), 2);
  EXPECT_NE(leader_->generation().name, generation);
}

TEST_F(LeaderCoreTest, AMemberThatJoinsIsSeatedOnlyWhenItAnswers) {
  RunThree();
  Beat("d");
  for (int i = 0; i < 3; ++i) {
    for (const char* member : {"b", "c", "d"}) Beat(member);
    Pass(milliseconds(1000));
  }
  EXPECT_EQ(leader_->state(), LeaderCore::State::kRunning);
  Answer("d");
  EXPECT_EQ(leader_->reason(), "members change");
  for (const char* member : {"b", "c", "d"}) Answer(member);
  EXPECT_EQ(leader_->generation().slots(), 4);
}

TEST_F(LeaderCoreTest, ALeaderThatStepsDownBeginsNothingWhileTheStoreAnswers) {
  RunThree();
  leader_->StepDown(now_);
  leader_->OnMessage({"a", "a", MemberLeaving{}}, now_);
  leader_->OnTimer(now_ + kTimeout);
  Pump();
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(store_.facts().lease.released);
}

TEST_F(LeaderCoreTest, ALeaderThatStepsDownBeforeItRunsEndsToo) {
  Lead();
  leader_->StepDown(now_);
  leader_->OnTimer(now_ + kGather);
  Pump();
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(store_.facts().lease.released);
}

// Found by seed 381 of the simulation: the only worker left gave its own batch up, and no seat but
// its own was there to begin again with.
TEST_F(LeaderCoreTest, ALeaderThatStepsDownBeginsNoNewGenerationWhenABatchFails) {
  RunThree();
  maker_.left = 1;
  leader_->OnTimer(now_);
  Pump();
  leader_->StepDown(now_);
  Pump();
  EXPECT_FALSE(ended_);
  Say("b", TaskFailed{leader_->generation().name, 1, 0, StatusCode::kAborted, "gave it up"});
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(store_.facts().lease.released);
}

TEST_F(LeaderCoreTest, AMemberThatAnswersAfterTheSeatsWereDealtOutJoinsLater) {
  RunThree();
  Lead();
  Beat("d");
  Pass(kGather / 2);
  for (const char* member : {"b", "c"}) Answer(member);
  ASSERT_EQ(leader_->state(), LeaderCore::State::kFencing);
  Answer("d");
  MakeReady();
  Beat("d");
  Pass(milliseconds(1000));
  EXPECT_EQ(leader_->reason(), "members change");
}

TEST_F(LeaderCoreTest, TheRecordOfADeadMemberIsRemoved) {
  RunThree();
  Beat("killed");
  for (int i = 0; i < 40; ++i) {
    Beat("b");
    Beat("c");
    Pass(milliseconds(1000));
  }
  EXPECT_FALSE(store_.facts().members.contains("killed"));
  EXPECT_TRUE(store_.facts().members.contains("a"));
}

TEST_F(LeaderCoreTest, ALeavingMemberHearsOfTheGenerationWithoutIt) {
  RunThree();
  Beat("c", true);
  Say("c", MemberLeaving{});
  Answer("b");
  ASSERT_EQ(leader_->generation().slots(), 2);
  const auto told = std::find_if(sent_.begin(), sent_.end(), [](const SendMessage& send) {
    return send.address == "c" && std::holds_alternative<GenerationMade>(send.message.body);
  });
  EXPECT_NE(told, sent_.end());
}

TEST_F(LeaderCoreTest, AnEditedSpecGoesOnFromTheFormerOnesCommit) {
  LeadEdited(Edited("sums.aggregate\tk\n"), false);
  EXPECT_EQ(leader_->state(), LeaderCore::State::kFencing);
  EXPECT_EQ(store_.facts().spec_hash, "edited");
  EXPECT_EQ(store_.facts().commit.spec_hash, "spec");
  EXPECT_EQ(leader_->generation().slots(), 3);
}

TEST_F(LeaderCoreTest, AnEditThatLosesStateIsNotRun) {
  LeadEdited(Edited("sums.aggregate\tother\n"), false);
  EXPECT_EQ(end_.message(),
            "UpgradeBlocked: this edit would drop the state of sums.aggregate: its name, key, "
            "window or state types changed. Undo the edit, or set upgrade.allowStateLoss: true "
            "(edited: spec.streams)");
  EXPECT_EQ(store_.facts().spec_hash, "spec");
  EXPECT_TRUE(store_.facts().lease.released);
  EXPECT_EQ(store_.facts().halt, "");
}

TEST_F(LeaderCoreTest, PlansOfTheFormerSpecAreTakenBackWhenNobodySawThem) {
  LeadEdited(Edited("sums.aggregate\tk\n"), true);
  EXPECT_EQ(leader_->generation().spec_hash, "spec") << "only to fence";
  MakeReady();
  EXPECT_TRUE(store_.facts().plans.empty());
  EXPECT_EQ(leader_->state(), LeaderCore::State::kGathering);
  Answer("b");
  Answer("c");
  EXPECT_EQ(leader_->generation().spec_hash, "edited");
  MakeReady();
  EXPECT_EQ(leader_->state(), LeaderCore::State::kRunning);
}

TEST_F(LeaderCoreTest, AHalfWrittenBatchOfTheFormerSpecHaltsTheJob) {
  LeadEdited(Edited("sums.aggregate\tk\n"), true);
  ledgers_.sinks["out"] = {2, "4432", {}};  // D2 in hex
  MakeReady();
  EXPECT_TRUE(
      store_.facts().halt.starts_with("UpgradeBlocked: batch 2 was planned by the job's "
                                      "former version, and some of its output"))
      << store_.facts().halt;
}

TEST_F(LeaderCoreTest, OutputInOtherSinksCannotBeExcluded) {
  OwnSpec edited = Edited("sums.aggregate\tk\n");
  edited.record.fields["sinks"] = "2";
  LeadEdited(edited, true);
  MakeReady();
  EXPECT_TRUE(store_.facts().halt.starts_with("UpgradeBlocked: batch 2 was planned"));
}

TEST_F(LeaderCoreTest, GivesWayWhenAsManyMembersOfANewerSpecWait) {
  RunThree();
  const OwnSpec newer = Edited("", 1);
  const auto live = [&](const std::vector<std::string>& waiting) {
    for (int i = 0; i < 3; ++i) {
      for (const char* old : {"a", "b", "c"}) Beat(old);
      for (const std::string& member : waiting) BeatWith(newer, member);
      Pass(milliseconds(1000));
    }
  };
  live({"d", "e"});
  EXPECT_FALSE(ended_);
  live({"d", "e", "f"});
  EXPECT_TRUE(ended_);
  EXPECT_TRUE(store_.facts().lease.released);
}

}  // namespace
}  // namespace millrace::worker
