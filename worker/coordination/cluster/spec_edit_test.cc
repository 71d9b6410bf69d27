#include "worker/coordination/cluster/spec_edit.h"

#include <gtest/gtest.h>

#include <chrono>

#include "worker/coordination/cluster/lease_core.h"
#include "worker/coordination/cluster/model_job_store.h"

namespace millrace::worker {
namespace {

using std::chrono::milliseconds;

SpecRecord Record(const std::string& shape) { return {{{"streams", shape}}, shape}; }

// A job that runs `hash` of generation 1, with members "<name>:<hash>:<generation>".
JobFacts Job(const std::string& hash, const std::vector<MemberRecord>& members) {
  JobFacts facts;
  facts.spec_hash = hash;
  facts.spec_gen = 1;
  for (const MemberRecord& member : members) facts.members[member.address] = member;
  return facts;
}

std::string Choice(const JobFacts& facts) {
  std::set<std::string> live;
  for (const auto& [member, record] : facts.members) {
    if (record.beat > 0) live.insert(member);
  }
  return SpecToRun(facts, live, true);
}

TEST(SpecToRunTest, PrefersTheJobsSpecUntilItsMembersLeaveOrEnoughOfANewerOneWait) {
  const MemberRecord a{"a", 1, "old", 1, false}, b{"b", 1, "old", 1, false};
  const MemberRecord dead{"b", 1, "old", 0, false}, leaving{"a", 1, "old", 1, true};
  const MemberRecord c{"c", 2, "new", 1, false}, d{"d", 2, "new", 1, false};
  const MemberRecord same{"c", 1, "other", 1, false}, more{"d", 1, "other", 1, false};
  const MemberRecord older{"e", 0, "older", 1, false};
  const struct {
    const char* name;
    std::vector<MemberRecord> members;
    const char* want;
  } cases[] = {
      {"alone", {a, b}, "old"},
      {"one of two waits", {a, b, c}, "old"},
      {"as many wait", {a, b, c, d}, "new"},
      {"the others are dead or leave", {leaving, dead, c}, "new"},
      {"equal generations do not drive out", {a, same, more}, "old"},
      {"equal generations follow", {leaving, same}, "other"},
      {"older ones never follow", {leaving, older}, "old"},
      {"nobody", {}, "old"},
  };
  for (const auto& test : cases)
    EXPECT_EQ(Choice(Job("old", test.members)), test.want) << test.name;
}

TEST(SpecToRunTest, PlannedBatchesKeepTheJobsSpecWhileAMemberOfItLives) {
  JobFacts facts = Job("old", {{"a", 1, "old", 1, false}, {"c", 2, "new", 1, false}});
  facts.plans = {{5, "D5", "old", ""}};
  EXPECT_EQ(Choice(facts), "old");
  facts.members["a"].leaving = true;
  EXPECT_EQ(Choice(facts), "new");
}

TEST(SpecRecordTest, ReadsBackAndRefusesDamage) {
  const SpecRecord record{{{"sinks", "1"}, {"streams", "2"}}, "a.b\tk\n"};
  const std::string bytes = EncodeSpec(record);
  EXPECT_EQ(*DecodeSpec(bytes), record);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeSpec(bytes.substr(0, size)).ok()) << size;
}

JobFacts Committed(const std::string& shape) {
  JobFacts facts;
  facts.commit.batch = 7;
  facts.commit.spec_hash = "old";
  facts.specs["old"] = EncodeSpec(Record(shape));
  return facts;
}

TEST(CheckEditTest, RefusesWhatWouldLoseStateUnlessAllowed) {
  OwnSpec own;
  own.hash = "new";
  own.record = Record("a.b\tk\nc.d\tk\n");
  EXPECT_TRUE(CheckEdit(Committed("a.b\tk\n"), own).ok()) << "a step more";
  EXPECT_EQ(CheckEdit(Committed("a.b\tk\ne.f\tk\n"), own).message(),
            "UpgradeBlocked: this edit would drop the state of e.f: its name, key, window or state "
            "types changed. Undo the edit, or set upgrade.allowStateLoss: true (edited: "
            "spec.streams)");
  own.allow_state_loss = true;
  EXPECT_TRUE(CheckEdit(Committed("a.b\tk\ne.f\tk\n"), own).ok());
}

TEST(CheckEditTest, RefusesAnotherNumberOfKeyGroups) {
  JobFacts facts = Committed("");
  facts.generation = Generation{};
  facts.generation->groups.assign(12, 0);
  OwnSpec own;
  own.hash = "old";
  own.groups = 24;
  EXPECT_TRUE(CheckEdit(facts, own)
                  .message()
                  .starts_with("UpgradeBlocked: spec.maxParallelism cannot change from 12"));
  own.groups = 12;
  EXPECT_TRUE(CheckEdit(facts, own).ok());
}

TEST(CheckEditTest, RefusesStateOfWhichNoSpecIsKnown) {
  JobFacts facts = Committed("");
  facts.specs.clear();
  EXPECT_TRUE(CheckEdit(facts, {0, "new", {}, true, 12}).message().starts_with("UpgradeBlocked"));
}

// How long a candidate of another spec than the job's waits for a lease that was given back.
Duration WaitForFreeLease(const std::string& spec, bool old_member_lives) {
  constexpr Duration kLease = milliseconds(3000);
  ModelJobStore store;
  (void)store.Call(InitJob{0, "old", ""});
  LeaseCore core({kLease, 0, spec, true}, {"me", "me"}, [] { return std::string("token"); });
  MonotonicTime now{milliseconds(0)};
  for (int64_t beat = 1; now.time_since_epoch() < milliseconds(60000); ++beat) {
    if (old_member_lives)
      (void)store.Call(BeatMember{"old", {"old", 0, "old", beat, false}, {}, false});
    core.OnTimer(now);
    for (std::vector<Action> actions = core.TakeActions(); !actions.empty();
         actions = core.TakeActions()) {
      for (Action& action : actions) {
        if (auto* call = std::get_if<CallStore>(&action))
          call->done(store.Call(call->request), now);
      }
    }
    if (core.leading()) return now.time_since_epoch();
    now = core.next_timer();
  }
  return Duration::max();
}

TEST(LeaseCoreTest, ACandidateOfAnotherSpecLetsThoseOfTheJobsGoFirst) {
  EXPECT_EQ(WaitForFreeLease("old", true), Duration(0));
  EXPECT_EQ(WaitForFreeLease("new", false), Duration(0));
  EXPECT_EQ(WaitForFreeLease("new", true), milliseconds(3000));
}

}  // namespace
}  // namespace millrace::worker
