#include "worker/coordination/cluster/member_core_fixture.h"

namespace millrace::worker {
namespace {

// The member "b" in slot 1 of two is ready; "a" leads.
class MemberProbeTest : public MemberCoreFixture {
 protected:
  MemberProbeTest() {
    generation_ = {"1-a", 1, 1, "spec", 1, false, 2, {{"a", "a"}, {"b", "b"}}, {0, 1}, {}};
    Say(GenerationMade{generation_, {}});
    member_.OnTakenOver("1-a", OkStatus(), now_);
    Pump();
    done_.clear();
  }

  Generation generation_;
  const ProbeBatch probe_{"1-a", {1, "D1", "spec", "p"}, false, {{0, 0, 5}}};
};

TEST_F(MemberProbeTest, RunsAProbeOnceAndAnswersEachTimeItIsAsked) {
  Say(probe_);
  Say(probe_);
  EXPECT_EQ(Did<RunProbe>(), 1);
  EXPECT_EQ(Told<BatchProbed>(), 0);
  member_.OnProbed("1-a", 1, OkStatus(), {});
  Pump();
  Say(probe_);
  EXPECT_EQ(Told<BatchProbed>(), 2);
}

TEST_F(MemberProbeTest, SaysThatAProbeFailedEachTimeItIsAsked) {
  Say(probe_);
  member_.OnProbed("1-a", 1, InvalidError("division by zero"), {});
  Pump();
  Say(probe_);
  EXPECT_EQ(Told<TaskFailed>(), 2);
  EXPECT_EQ(Told<BatchProbed>(), 0);
}

TEST_F(MemberProbeTest, IsNeverOpenAfterAProbe) {
  Say(probe_);
  Say(GenerationOpened{generation_});
  EXPECT_EQ(member_.state(), MemberCore::State::kReady);
  Say(RunBatch{"1-a", probe_.plan});
  EXPECT_EQ(Did<ComputeBatch>(), 0);
}

TEST_F(MemberProbeTest, ANewGenerationBeginsAfresh) {
  Say(probe_);
  Generation next = generation_;
  next.name = "2-b";
  next.fence = 2;
  Say(GenerationMade{next, {}});
  member_.OnProbed("1-a", 1, OkStatus(), {});  // came too late
  member_.OnTakenOver("2-b", OkStatus(), now_);
  Pump();
  EXPECT_EQ(Told<BatchProbed>(), 0);
  ProbeBatch again = probe_;
  again.generation = "2-b";
  Say(again);
  EXPECT_EQ(Did<RunProbe>(), 2);
}

TEST_F(MemberProbeTest, ProbesNothingOfAnotherGeneration) {
  ProbeBatch other = probe_;
  other.generation = "9-z";
  Say(other);
  EXPECT_EQ(Did<RunProbe>(), 0);
}

}  // namespace
}  // namespace millrace::worker
