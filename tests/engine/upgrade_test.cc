#include "crds/base/file.h"
#include "tests/engine/engine.h"

// Edits of a job between two runs on one state directory.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class UpgradeTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(RemoveTree(state_), IsOk()); }
  static std::string Spec(const std::string& key, const std::string& values,
                          const std::string& more = "") {
    return more + "  sources:\n" + Source("src") +
           "  streams:\n    - {name: counts, from: src, steps: [{aggregate: {key: [" + key +
           "], window: {global: {}}, values: {" + values +
           "}}}]}\n  sinks:\n    - {name: out, from: counts, console: {}}\n";
  }
  // Runs one batch of one record.
  Batches RunOnce(const std::string& spec, Status* status) {
    Engine engine(spec, {.ticks = {{"src", {{{Record("a", 1)}}}}},
                         .state = state_,
                         .schedule = {.max_batches = 1}});
    *status = engine.Run();
    return engine.Out("out");
  }
  const std::string state_ = ::testing::TempDir() + "/engine-upgrade";
};

TEST_F(UpgradeTest, KeepsStateThatTheEditDoesNotTouch) {
  Status status;
  RunOnce(Spec("k", "hits: count()"), &status);
  EXPECT_THAT(RunOnce(Spec("k", "hits: count()", "  onError: Skip\n"), &status),
              ElementsAre(ElementsAre(R"({"k":"a","hits":2})")));
  EXPECT_THAT(status, IsOk());
}

TEST_F(UpgradeTest, RefusesAnEditThatWouldDropState) {
  Status status;
  RunOnce(Spec("k", "hits: count()"), &status);
  EXPECT_THAT(RunOnce(Spec("v", "hits: count()"), &status), IsEmpty());
  EXPECT_EQ(status.message(),
            "this edit would drop the state of counts.aggregate: its name, key, window or state "
            "types changed. Undo the edit, or set "
            "upgrade.allowStateLoss: true");
}

TEST_F(UpgradeTest, StartsOverWhereLossIsAllowed) {
  Status status;
  RunOnce(Spec("k", "hits: count()"), &status);
  const std::string allowed = "  upgrade: {allowStateLoss: true}\n";
  EXPECT_THAT(RunOnce(Spec("v", "hits: count()", allowed), &status),
              ElementsAre(ElementsAre(R"({"v":1,"hits":1})")));
  EXPECT_THAT(status, IsOk());
  EXPECT_THAT(RunOnce(Spec("v", "hits: count()", allowed), &status),
              ElementsAre(ElementsAre(R"({"v":1,"hits":2})")));
}

TEST_F(UpgradeTest, GoesBackToTheOldJobAfterARefusal) {
  Status status;
  RunOnce(Spec("k", "hits: count()"), &status);
  RunOnce(Spec("v", "hits: count()"), &status);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(RunOnce(Spec("k", "hits: count()"), &status),
              ElementsAre(ElementsAre(R"({"k":"a","hits":2})")));
}

TEST_F(UpgradeTest, RefusesAnEditOverAHalfWrittenBatch) {
  {
    Engine engine(Spec("k", "hits: count()"),
                  {.ticks = {{"src", {{{Record("a", 1)}}}}}, .state = state_});
    engine.sink("out").on_deliver = [](const SinkBatch&) { return InternalError("power cut"); };
    EXPECT_FALSE(engine.Run().ok());
  }
  Engine engine(Spec("k", "hits: count()", "  onError: Skip\n"),
                {.ticks = {{"src", {{{Record("a", 1)}}}}}, .state = state_});
  engine.sink("out").delivered_batch = 1;
  EXPECT_EQ(engine.Run().message(),
            "UpgradeBlocked: sink \"out\" holds output of batch 1, which the job's previous "
            "version did not finish; run the previous job file "
            "once (--batches 1), then this one");
}

TEST_F(UpgradeTest, RefusesStateOlderThanItsOutput) {
  Engine engine(Spec("k", "hits: count()"),
                {.ticks = {{"src", {{{Record("a", 1)}}}}}, .state = state_});
  engine.sink("out").delivered_batch = 9;
  EXPECT_EQ(engine.Run().message(),
            "StateRolledBack: sink \"out\" holds output of batch 9, but the state knows only up to "
            "batch 0; restore the newer state, or give the "
            "job a new output path");
}

TEST_F(UpgradeTest, RefusesStateOfAnotherHistoryThanItsOutput) {
  Status status;
  RunOnce(Spec("k", "hits: count()"), &status);
  ASSERT_TRUE(status.ok()) << status;
  Engine engine(Spec("k", "hits: count()"), {.state = state_});
  engine.sink("out").delivered_batch = 1;
  engine.sink("out").delivered_digest = "no digest";
  EXPECT_TRUE(
      engine.Run().message().starts_with("StateRolledBack: sink \"out\" holds batch 1 with digest "
                                         "no digest, the state knows it with "));
}

}  // namespace
}  // namespace millrace::worker::testing
