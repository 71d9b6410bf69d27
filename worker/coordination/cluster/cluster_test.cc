#include <gtest/gtest.h>

#include <random>
#include <set>

#include "crds/base/text.h"
#include "worker/coordination/cluster/generation.h"
#include "worker/coordination/cluster/job_store_conformance.h"
#include "worker/coordination/cluster/ledger_verdict.h"
#include "worker/coordination/cluster/messages.h"
#include "worker/coordination/cluster/model_job_store.h"

namespace millrace::worker {
namespace {

using Check = ModelJobStore::Check;

TEST(ModelJobStoreTest, DoesWhatTheProtocolAsksOfEveryStore) {
  EXPECT_EQ(CheckJobStore([] { return std::make_unique<ModelJobStore>(); }), "");
}

TEST(ModelJobStoreTest, EveryCheckThatIsLeftOutIsNoticed) {
  for (const Check check : {Check::kLease, Check::kCurrent, Check::kOpen, Check::kPlanDigest,
                            Check::kReports, Check::kSuspect, Check::kFence, Check::kObservedBeat,
                            Check::kPlanLimit, Check::kKnownCommit}) {
    EXPECT_NE(CheckJobStore([check] { return std::make_unique<ModelJobStore>(check); }), "")
        << "check " << static_cast<int>(check);
  }
}

std::vector<Seat> Seats(const std::vector<std::string>& members) {
  std::vector<Seat> seats;
  for (const std::string& member : members) seats.push_back({member, member});
  return seats;
}

TEST(AssignGroupsTest, SpreadsEvenlyAndMovesAsFewAsPossible) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Generation previous;
    std::set<std::string> members;
    for (int i = 0; i < 1 + static_cast<int>(random() % 9); ++i)
      members.insert("m" + std::to_string(random() % 12));
    previous.seats = Seats({members.begin(), members.end()});
    previous.groups = AssignGroups(128, {}, previous.seats);
    members.insert("new" + std::to_string(round));
    if (members.size() > 2 && random() % 2) members.erase(members.begin());
    const std::vector<Seat> seats = Seats({members.begin(), members.end()});
    const std::vector<int> groups = AssignGroups(128, previous, seats);
    std::vector<int> load(seats.size());
    int moved = 0;
    int must_move = 0;
    for (int group = 0; group < 128; ++group) {
      ++load[groups[group]];
      const std::string& before = previous.seats[previous.groups[group]].member;
      const bool stays = members.contains(before);
      moved += stays && seats[groups[group]].member != before ? 1 : 0;
      must_move += stays ? 0 : 1;
    }
    const auto [low, high] = std::minmax_element(load.begin(), load.end());
    EXPECT_LE(*high - *low, 1);
    EXPECT_LE(moved + must_move, 128 / static_cast<int>(seats.size()) + 1 + must_move);
  }
}

TEST(GenerationTest, ReadsBackWhatItWrote) {
  const Generation generation{"7-0000000000000abc",
                              7,
                              3,
                              "hash",
                              12,
                              true,
                              5,
                              Seats({"a", "b"}),
                              {0, 1, 1},
                              {{"out", {11, std::string(32, '\1'), {{"counts.window", 4}}}}}};
  const Result<Generation> read = DecodeGeneration(EncodeGeneration(generation));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(EncodeGeneration(*read), EncodeGeneration(generation));
  EXPECT_EQ(read->skip.at("out").tasks.at(0).unit, 4);
}

TEST(GenerationTest, RefusesDamagedBytes) {
  std::string bytes =
      EncodeGeneration({"7-a", 7, 3, "hash", 12, true, 5, Seats({"a"}), {0, 0}, {}});
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeGeneration(bytes.substr(0, size)).ok()) << size;
}

TEST(MessageTest, ReadsBackEveryKindAndRefusesCutOnes) {
  const Generation generation{"7-a", 7, 3, "hash", 12, true, 5, Seats({"a"}), {0, 0}, {}};
  const CommitHead commit{4, "digest", "6-b", "record", 3, 4};
  const std::vector<decltype(Message::body)> bodies = {
      GenerationMade{generation, commit},
      GenerationOpened{generation},
      RunBatch{"7-a", {5, "d", "hash", "bytes"}},
      DeliverBatch{"7-a", commit, 5},
      BatchCommitted{"7-a", commit},
      LeaseFreed{},
      ReadyToRun{"7-a", 1},
      BatchComputed{"7-a", 1, 5},
      BatchPrepared{"7-a", 1, 5, "facts"},
      TaskFailed{"7-a", 1, 5, StatusCode::kUnavailable, "text"},
      MemberLeaving{},
      RollCall{3, 2},
      Present{3, 2}};
  for (const auto& body : bodies) {
    const std::string bytes = EncodeMessage({"a", "host:1", body});
    const Result<Message> read = DecodeMessage(bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(EncodeMessage(*read), bytes);
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(DecodeMessage(bytes.substr(0, size)).ok());
  }
}

std::string Hex(const std::string& digest) { return HexEncode(digest); }

JobFacts AtCommit(int64_t batch, const std::string& digest) {
  JobFacts facts;
  facts.commit.batch = batch;
  facts.commit.digest = digest;
  facts.commit.spec_hash = "spec";
  return facts;
}

TEST(LedgerVerdictTest, ComparesLedgersWithCommitAndPlans) {
  JobFacts facts = AtCommit(4, "D4");
  facts.plans = {{5, "D5", "", ""}, {6, "D6", "", ""}};
  const struct {
    const char* name;
    Delivered delivered;
    const char* want;
  } kCases[] = {{"behind", {3, Hex("D3"), {}}, ""},
                {"at the commit", {4, Hex("D4"), {}}, ""},
                {"planned", {5, Hex("D5").substr(0, 2), {{"s", 1}}}, ""},
                {"other history", {4, Hex("X4"), {}}, "StateRolledBack"},
                {"other plan", {5, Hex("X5"), {}}, "StateRolledBack"},
                {"no plan", {7, Hex("D7"), {}}, "StateRolledBack"}};
  for (const auto& c : kCases) {
    const LedgerVerdict verdict = JudgeLedgers(facts, {{{"out", c.delivered}}, 0, 0, ""}, "spec");
    EXPECT_EQ(verdict.status.message().substr(0, verdict.status.message().find(':')), c.want)
        << c.name;
    EXPECT_EQ(verdict.skip.contains("out"), verdict.status.ok() && c.delivered.batch > 4) << c.name;
  }
}

TEST(LedgerVerdictTest, MissesALedgerOnlyAfterACommit) {
  EXPECT_TRUE(JudgeLedgers(AtCommit(0, ""), {{}, 0, 0, "out"}, "spec").status.ok());
  EXPECT_EQ(
      JudgeLedgers(AtCommit(1, "D1"), {{}, 0, 0, "out"}, "spec").status.message().substr(0, 9),
      "StateLost");
  EXPECT_TRUE(JudgeLedgers(AtCommit(1, "D1"), {{}, 0, 0, "out"}, "edited").status.ok())
      << "the sink may be new";
}

TEST(LedgerVerdictTest, ADoubtCountsAsALedger) {
  JobFacts facts = AtCommit(4, "D4");
  facts.suspect = KnownCommit{5, "D5"};
  EXPECT_FALSE(JudgeLedgers(facts, {}, "spec").status.ok());
  facts.plans = {{5, "D5", "", ""}};
  EXPECT_TRUE(JudgeLedgers(facts, {}, "spec").status.ok());
}

}  // namespace
}  // namespace millrace::worker
