#include "worker/coordination/cluster/member_core_fixture.h"
#include "worker/coordination/cluster/model_job_store.h"

namespace millrace::worker {
namespace {

// The member "b" in slot 1 of two; "a" leads and says what the test says.
class MemberCoreTest : public MemberCoreFixture {
 protected:
  MemberCoreTest() {
    (void)store_.Call(InitJob{0, "spec", ""});
    lease_ = store_.Call(AcquireLease{"", 0, "token", "a", "a", 0}).lease;
    generation_ = Make("1-a", 1);
  }

  static Generation Make(const std::string& name, int64_t fence) {
    return {name, fence, 1, "spec", 1, false, 2, {{"a", "a"}, {"b", "b"}}, {0, 1}, {}};
  }
  void Write(const Generation& generation) {
    (void)store_.Call(NewGeneration{lease_, store_.facts().commit, 0, generation});
  }
  StoreReply Reply(const StoreRequest& request) override {
    return answers_ ? store_.Call(request)
                    : StoreReply{StoreCode::kUnknown, "lost", nullptr, {}, {}};
  }

  void TakeOver(const CommitHead& commit = {}) {
    Write(generation_);
    Say(GenerationMade{generation_, commit});
    member_.OnTakenOver(generation_.name, OkStatus(), now_);
    Pump();
  }
  void Open() {
    TakeOver();
    (void)store_.Call(MarkReady{generation_.name, 0, {}});
    (void)store_.Call(OpenGeneration{lease_, store_.facts().suspect, generation_});
    Say(GenerationOpened{generation_});
  }
  PlanEntry Plan(int64_t batch) const { return {batch, "D" + std::to_string(batch), "spec", "p"}; }
  void Compute(int64_t batch) {
    Say(RunBatch{generation_.name, Plan(batch)});
    member_.OnComputed(generation_.name, batch, OkStatus(), now_);
    Pump();
  }
  void Deliver(int64_t batch) {
    Say(DeliverBatch{generation_.name, store_.facts().commit, batch});
    member_.OnDelivered(generation_.name, batch, OkStatus(), "report", "", now_);
    Pump();
  }

  bool answers_ = true;
  ModelJobStore store_;
  Lease lease_;
  Generation generation_;
};

TEST_F(MemberCoreTest, GetsReadyWhenItHasTakenOver) {
  Write(generation_);
  Say(GenerationMade{generation_, {}});
  EXPECT_EQ(Did<worker::TakeOver>(), 1);
  EXPECT_EQ(Told<ReadyToRun>(), 0);
  member_.OnTakenOver("0-another", OkStatus(), now_);
  Pump();
  EXPECT_TRUE(store_.facts().ready.empty());
  member_.OnTakenOver("1-a", OkStatus(), now_);
  Pump();
  EXPECT_EQ(Told<ReadyToRun>(), 1);
  EXPECT_TRUE(store_.facts().ready.contains(1));
}

TEST_F(MemberCoreTest, IsNotReadyWhenItCouldNotTakeOver) {
  Write(generation_);
  Say(GenerationMade{generation_, {}});
  member_.OnTakenOver("1-a", InternalError("StateLost: why"), now_);
  Pump();
  EXPECT_EQ(Told<ReadyToRun>(), 0);
  EXPECT_EQ(Told<TaskFailed>(), 1);
  EXPECT_TRUE(store_.facts().ready.empty());
}

TEST_F(MemberCoreTest, AGenerationThatTheStoreReplacedIsNotReady) {
  Write(generation_);
  Say(GenerationMade{generation_, {}});
  Write(Make("2-b", 2));
  member_.OnTakenOver("1-a", OkStatus(), now_);
  Pump();
  EXPECT_EQ(Told<ReadyToRun>(), 0);
  EXPECT_EQ(member_.state(), MemberCore::State::kIdle);
}

TEST_F(MemberCoreTest, TellsTheStoreOfACommitThatTheStoreHasLost) {
  Open();
  Say(BatchCommitted{generation_.name, {7, "D7", generation_.name, "", 2, 0, "spec"}});
  generation_ = Make("2-b", 2);
  TakeOver();
  EXPECT_EQ(store_.facts().suspect, (KnownCommit{7, "D7"}));
}

TEST_F(MemberCoreTest, AnOlderGenerationIsTakenOnlyIfTheStoreSaysSo) {
  generation_ = Make("2-b", 2);
  Open();
  Say(GenerationMade{Make("1-a", 1), {}});
  EXPECT_EQ(member_.generation().name, "2-b");
  store_.Clear();  // it went back
  (void)store_.Call(InitJob{0, "spec", ""});
  lease_ = store_.Call(AcquireLease{"", 0, "token", "a", "a", 0}).lease;
  Write(Make("1-c", 1));
  Say(GenerationMade{Make("1-c", 1), {}});
  EXPECT_EQ(member_.generation().name, "1-c");
}

TEST_F(MemberCoreTest, RunsNothingBeforeOpen) {
  TakeOver();
  Say(RunBatch{generation_.name, Plan(1)});
  EXPECT_EQ(Did<ComputeBatch>(), 0);
  Say(GenerationOpened{Make("0-another", 0)});
  Say(RunBatch{generation_.name, Plan(1)});
  EXPECT_EQ(Did<ComputeBatch>(), 0);
}

TEST_F(MemberCoreTest, RunsNothingOfAnotherGeneration) {
  Open();
  Say(RunBatch{"0-another", Plan(1)});
  EXPECT_EQ(Did<ComputeBatch>(), 0);
  Compute(1);
  Say(DeliverBatch{"0-another", {}, 1});
  EXPECT_EQ(Did<DeliverOutput>(), 0);
}

TEST_F(MemberCoreTest, RunsBatchesInOrderAndOnce) {
  Open();
  Say(RunBatch{generation_.name, Plan(2)});
  EXPECT_EQ(Did<ComputeBatch>(), 0);
  Compute(1);
  Say(RunBatch{generation_.name, Plan(1)});
  EXPECT_EQ(Did<ComputeBatch>(), 1);
  EXPECT_EQ(Told<BatchComputed>(), 2) << "asked again, it answers again";
  Compute(2);
  EXPECT_EQ(Did<ComputeBatch>(), 2);
}

TEST_F(MemberCoreTest, SaysNothingOfWorkThatBelongsToAnotherGeneration) {
  Open();
  Say(RunBatch{generation_.name, Plan(1)});
  member_.OnComputed("0-another", 1, OkStatus(), now_);
  Pump();
  EXPECT_EQ(Told<BatchComputed>(), 0);
}

TEST_F(MemberCoreTest, DeliversOnceAndOnlyWhatItHasComputed) {
  Open();
  Say(RunBatch{generation_.name, Plan(1)});
  Say(DeliverBatch{generation_.name, {}, 1});
  EXPECT_EQ(Did<DeliverOutput>(), 0);
  member_.OnComputed(generation_.name, 1, OkStatus(), now_);
  for (int i = 0; i < 2; ++i) Say(DeliverBatch{generation_.name, {}, 1});
  EXPECT_EQ(Did<DeliverOutput>(), 1);
}

TEST_F(MemberCoreTest, ReportsOnlyOutputThatIsWritten) {
  Open();
  Compute(1);
  Say(DeliverBatch{generation_.name, {}, 1});
  member_.OnDelivered("0-another", 1, OkStatus(), "report", "", now_);
  Pump();
  EXPECT_EQ(Told<BatchPrepared>(), 0);
  member_.OnDelivered(generation_.name, 1, UnavailableError("no answer"), "report", "", now_);
  Pump();
  EXPECT_EQ(Told<BatchPrepared>(), 0);
  EXPECT_EQ(Told<TaskFailed>(), 1);
}

TEST_F(MemberCoreTest, AReportThatTheStoreRefusesEndsItsWork) {
  Open();
  Compute(1);
  Write(Make("2-b", 2));
  Deliver(1);
  EXPECT_EQ(Told<BatchPrepared>(), 0);
  EXPECT_EQ(Did<StopWork>(), 1);
  EXPECT_EQ(member_.state(), MemberCore::State::kIdle);
}

TEST_F(MemberCoreTest, AReportUnderDoubtFails) {
  Open();
  Compute(1);
  (void)store_.Call(BeatMember{"c", {}, {9, "D9"}, false});
  Deliver(1);
  EXPECT_EQ(Told<BatchPrepared>(), 0);
  EXPECT_EQ(Told<TaskFailed>(), 1);
}

TEST_F(MemberCoreTest, AReportOfUnknownOutcomeIsWrittenAgain) {
  Open();
  Compute(1);
  answers_ = false;
  Deliver(1);
  EXPECT_EQ(Told<BatchPrepared>(), 0);
  answers_ = true;
  now_ += kRetry;
  member_.OnTimer(now_);
  Pump();
  EXPECT_EQ(Told<BatchPrepared>(), 1);
}

TEST_F(MemberCoreTest, ACommitOfAnotherGenerationSettlesNothing) {
  Open();
  Compute(1);
  Say(BatchCommitted{"0-another", {1, "D1", "0-another", "", 2, 0, "spec"}});
  EXPECT_EQ(Did<SettleBatch>(), 0);
  EXPECT_EQ(member_.known().batch, 0);
  const CommitHead commit{1, "D1", generation_.name, "", 2, 0, "spec"};
  for (int i = 0; i < 2; ++i) Say(BatchCommitted{generation_.name, commit});
  EXPECT_EQ(Did<SettleBatch>(), 1);
}

TEST_F(MemberCoreTest, LearnsOfACommitFromTheStoreOnlyWhileItsGenerationRuns) {
  Open();
  Compute(1);
  JobFacts facts = store_.facts();
  facts.commit = {1, "D1", "0-another", "", 2, 0, "spec"};
  member_.OnFacts(facts, now_);
  EXPECT_EQ(member_.known().batch, 0);
  facts.commit.generation = generation_.name;
  member_.OnFacts(facts, now_);
  EXPECT_EQ(member_.known().batch, 1);
}

TEST_F(MemberCoreTest, ANewGenerationEndsTheWorkOfTheOneBefore) {
  Open();
  Compute(1);
  generation_ = Make("2-b", 2);
  Write(generation_);
  Say(GenerationMade{generation_, {}});
  EXPECT_EQ(Did<StopWork>(), 1);
  member_.OnDelivered("1-a", 1, OkStatus(), "report", "", now_);
  Pump();
  EXPECT_EQ(Told<BatchPrepared>(), 0);
}

TEST_F(MemberCoreTest, SaysThatItHasNoSeatWhenItIsAskedToWork) {
  Say(RunBatch{"1-a", Plan(1)});
  EXPECT_EQ(Told<TaskFailed>(), 1);
  EXPECT_EQ(Did<ComputeBatch>(), 0);
}

}  // namespace
}  // namespace millrace::worker
