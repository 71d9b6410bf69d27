#include "worker/coordination/cluster/leader_core.h"

#include <gtest/gtest.h>

#include "worker/coordination/cluster/lease_core.h"
#include "worker/coordination/cluster/model_job_store.h"

namespace millrace::worker {
namespace {

using std::chrono::milliseconds;

constexpr Duration kTimeout = milliseconds(3000);
constexpr Duration kGather = milliseconds(500);

class NoPlans final : public PlanMaker {
 public:
  Status Resume(const CommitHead&, const std::map<std::string, std::string>&) override {
    return OkStatus();
  }
  Status Adopt(const PlanEntry&) override { return OkStatus(); }
  Result<std::optional<std::string>> Next(int64_t) override { return std::optional<std::string>(); }
  MonotonicTime next_due() const override { return MonotonicTime::max(); }
  CommitParts Finish(int64_t, const std::vector<std::string>&) override { return {}; }
  bool completed() const override { return false; }
};

// A leader "a" before a store, and members whose words the test says.
class LeaderCoreTest : public testing::Test {
 protected:
  LeaderCoreTest() {
    spec_.hash = "spec";
    spec_.groups = 6;
    spec_.record = {{{"sinks", "1"}, {"streams", "1"}}, "sums.aggregate\tk\n"};
    (void)store_.Call(InitJob{0, "spec", EncodeSpec(spec_.record)});
    for (const char* member : {"a", "b", "c"}) Beat(member);
  }

  void Beat(const std::string& member, bool leaving = false) { BeatWith(spec_, member, leaving); }
  void BeatWith(const OwnSpec& spec, const std::string& member, bool leaving = false) {
    (void)store_.Call(
        BeatMember{member, {member, spec.generation, spec.hash, ++beat_, leaving}, {}, false});
  }

  // A new leader; the one before is gone.
  void Lead() {
    const LeaseRecord before = store_.facts().lease;
    const StoreReply won =
        store_.Call(AcquireLease{before.lease.token, before.beat, "token" + std::to_string(++beat_),
                                 "a", "a", spec_.generation});
    ASSERT_TRUE(won.ok());
    LeaderConfig config;
    config.spec = spec_;
    config.heartbeat = milliseconds(1000);
    config.member_timeout = kTimeout;
    config.gather = kGather;
    config.ready_timeout = milliseconds(15000);
    config.resend = milliseconds(500);
    leader_ = std::make_unique<LeaderCore>(config, Seat{"a", "a"}, won.lease, &maker_,
                                           [this] { return static_cast<uint64_t>(++beat_); });
    leader_->Start(now_);
    Pump();
  }

  // Store requests are carried out at once; messages are kept.
  void Pump() {
    for (std::vector<Action> actions = leader_->TakeActions(); !actions.empty();
         actions = leader_->TakeActions()) {
      for (Action& action : actions) {
        if (auto* call = std::get_if<CallStore>(&action))
          call->done(store_.Call(call->request), now_);
        else if (auto* send = std::get_if<SendMessage>(&action))
          sent_.push_back(std::move(*send));
        else if (auto* read = std::get_if<ReadLedgers>(&action))
          leader_->OnLedgers(read->generation, ledgers_, now_);
        else if (auto* end = std::get_if<EndLeadership>(&action))
          ended_ = true, end_ = end->status;
      }
    }
  }

  void Pass(Duration time) {
    const MonotonicTime until = now_ + time;
    while (leader_->next_timer() <= until) {
      now_ = std::max(now_ + milliseconds(1), leader_->next_timer());
      leader_->OnTimer(now_);
      Pump();
    }
    now_ = until;
  }

  void Say(const std::string& member, decltype(Message::body) body) {
    leader_->OnMessage({member, member, std::move(body)}, now_);
    Pump();
  }

  // `member` answers the last roll call that reached it.
  void Answer(const std::string& member) {
    for (auto send = sent_.rbegin(); send != sent_.rend(); ++send) {
      const auto* call = std::get_if<RollCall>(&send->message.body);
      if (call == nullptr || send->address != member) continue;
      return Say(member, Present{call->epoch, call->number});
    }
    FAIL() << member << " was not called";
  }

  void MakeReady() {
    const Generation generation = leader_->generation();
    for (int slot = 0; slot < generation.slots(); ++slot) {
      (void)store_.Call(MarkReady{generation.name, slot, {}});
      Say(generation.seats[slot].member, ReadyToRun{generation.name, slot});
    }
  }

  void RunThree() {
    Lead();
    Answer("b");
    Answer("c");
    Pass(kGather);
    MakeReady();
    ASSERT_EQ(leader_->state(), LeaderCore::State::kRunning);
    ASSERT_EQ(leader_->generation().slots(), 3);
    sent_.clear();
  }

  // The job runs "spec" and has committed batch 1; then everybody has `next` and this leads.
  void LeadEdited(const OwnSpec& next, bool with_plan) {
    RunThree();
    const Lease lease = store_.facts().lease.lease;
    const std::string name = leader_->generation().name;
    for (int64_t batch = 1; batch <= (with_plan ? 2 : 1); ++batch)
      (void)store_.Call(AppendPlan{lease,
                                   name,
                                   store_.facts().plans.empty() ? "" : "D1",
                                   {batch, "D" + std::to_string(batch), "spec", "bytes"}});
    for (int slot = 0; slot < 3; ++slot) (void)store_.Call(PutPrepared{name, slot, 1, ""});
    ASSERT_TRUE(store_.Call(CommitBatch{lease, name, 1, "D1", "", {}}).ok());
    spec_ = next;
    for (const char* member : {"a", "b", "c"}) Beat(member);
    Lead();
    Answer("b");
    if (leader_->state() == LeaderCore::State::kGathering) Answer("c");
  }

  OwnSpec Edited(const std::string& shape, int64_t generation = 0) {
    OwnSpec spec = spec_;
    spec.hash = "edited";
    spec.generation = generation;
    spec.record = {{{"sinks", "1"}, {"streams", "2"}}, shape};
    return spec;
  }

  OwnSpec spec_;
  ModelJobStore store_;
  NoPlans maker_;
  LedgerFacts ledgers_;
  Status end_;
  int64_t beat_ = 0;
  MonotonicTime now_{std::chrono::seconds(100)};
  std::vector<SendMessage> sent_;
  bool ended_ = false;
  std::unique_ptr<LeaderCore> leader_;
};

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

TEST(LeaseCoreTest, SaysThatTheJobIsLost) {
  LeaseCore core({std::chrono::seconds(3), 0, "spec", true}, {"a", "a"}, [] { return "t"; });
  ModelJobStore store;
  core.OnTimer(MonotonicTime(std::chrono::seconds(1)));
  for (Action& action : core.TakeActions()) {
    auto& call = std::get<CallStore>(action);
    call.done(store.Call(call.request), {});
  }
  EXPECT_TRUE(core.job_lost());
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
