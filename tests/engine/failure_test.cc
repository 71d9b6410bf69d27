#include "tests/engine/engine.h"

// What a failed batch leaves behind: nothing, until it succeeds.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string CountJob(const std::string& more) {
  return more + "  sources:\n" + Source("src") +
         "  streams:\n"
         "    - {name: checked, from: src, steps: [{set: {v: 10 / v}}]}\n"
         "    - {name: counts, from: checked, steps: [{aggregate: {key: [k], window: {global: {}}, "
         "values: {hits: count(), sum: sum(v)}}}]}\n"
         "  sinks:\n    - {name: out, from: counts, console: {}}\n    - {name: dead, from: "
         "deadLetters, console: {}}\n";
}

std::string Count(const std::string& key, int n, int sum) {
  return R"({"k":")" + key + R"(","hits":)" + std::to_string(n) + R"(,"sum":)" +
         std::to_string(sum) + "}";
}

TEST(PoisonTest, HaltsAfterTheAttemptsWithNothingVisible) {
  Engine engine(CountJob("  poisonBatch: {attempts: 3}\n"),
                {.ticks = {{"src", {{{Record("a", 1)}}, {{Record("a", 2), Record("b", 0)}}}}}});
  const Status status = engine.Run();
  EXPECT_EQ(status.code(), StatusCode::kInvalid);
  EXPECT_EQ(status.message(), "batch 2 failed 3 times: checked.set: division by zero");
  EXPECT_THAT(engine.failures, ElementsAre("2/1: checked.set: division by zero",
                                           "2/2: checked.set: division by zero",
                                           "2/3: checked.set: division by zero"));
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(Count("a", 1, 10))));
  EXPECT_EQ(engine.sink("out").pending(), 0u);
}

TEST(PoisonTest, BisectsToTheRecordAndCommitsTheRest) {
  std::vector<std::string> lines;
  for (int i = 1; i <= 40; ++i) lines.push_back(Record("a", i == 7 || i == 31 ? 0 : 10));
  Engine engine(CountJob("  poisonBatch: {attempts: 2, action: Bisect}\n"),
                {.ticks = {{"src", {{lines}, {{Record("a", 5)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(Count("a", 38, 38)), ElementsAre(Count("a", 39, 40))));
  const std::vector<std::string> letters = engine.Sorted("dead");
  ASSERT_EQ(letters.size(), 2u);
  EXPECT_THAT(letters[0],
              ::testing::AllOf(::testing::HasSubstr(R"("origin":"src")"),
                               ::testing::HasSubstr(R"("reason":"Poison")"),
                               ::testing::HasSubstr("fake:31: checked.set: division by zero")));
  EXPECT_THAT(letters[1], ::testing::HasSubstr("fake:7: checked.set"));
}

TEST(PoisonTest, GivesUpBisectingWhatNoRecordIsToBlameFor) {
  Engine engine(CountJob("  poisonBatch: {attempts: 2, action: Bisect}\n"),
                {.ticks = {{"src", {{{Record("a", 1)}}}}}});
  engine.sink("out").on_deliver = [](const SinkBatch&) { return InvalidError("table is gone"); };
  const Status status = engine.Run();
  EXPECT_EQ(status.message(), "batch 1 failed 2 times: sink \"out\": table is gone");
}

TEST(RetryTest, WaitsForASinkThatIsAway) {
  Engine engine(CountJob("  poisonBatch: {attempts: 1}\n"),
                {.ticks = {{"src", {{{Record("a", 1)}}, {{Record("a", 2)}}}}}});
  int refused = 0;
  engine.sink("out").on_deliver = [&](const SinkBatch& batch) {
    return batch.batch == 2 && ++refused <= 5 ? UnavailableError("connection refused") : OkStatus();
  };
  const TimePoint before = engine.clock().Now();
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_EQ(engine.failures.size(), 5u);
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(Count("a", 1, 10)), ElementsAre(Count("a", 2, 15))));
  EXPECT_GE(engine.clock().Now() - before, std::chrono::seconds(1 + 2 + 4 + 8 + 16));
}

TEST(RetryTest, AsksASinkAgainThatCannotShowACommittedBatch) {
  Engine engine(CountJob(""), {.ticks = {{"src", {{{Record("a", 1)}}, {{Record("a", 2)}}}}}});
  int refused = 0;
  engine.sink("out").on_committed = [&](int64_t batch) {
    return batch == 1 && ++refused <= 2 ? UnavailableError("disk full") : OkStatus();
  };
  const TimePoint before = engine.clock().Now();
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.failures, IsEmpty()) << "the batch itself is done";
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(Count("a", 1, 10)), ElementsAre(Count("a", 2, 15))));
  EXPECT_GE(engine.clock().Now() - before, std::chrono::seconds(1 + 2));
}

TEST(RetryTest, EndsAtMaxRestartsBehindACommitToo) {
  Engine engine(CountJob("  restartPolicy: {maxRestarts: 2}\n"),
                {.ticks = {{"src", {{{Record("a", 1)}}}}}});
  int asked = 0;
  engine.sink("out").on_committed = [&](int64_t) {
    ++asked;
    return UnavailableError("disk full");
  };
  EXPECT_EQ(engine.Run().message(), "sink \"out\" after commit: disk full");
  EXPECT_EQ(asked, 3);
}

TEST(RetryTest, EndsAtMaxRestarts) {
  Engine engine(CountJob("  restartPolicy: {maxRestarts: 2}\n"),
                {.ticks = {{"src", {{{Record("a", 1)}}}}}});
  engine.sink("out").on_deliver = [](const SinkBatch&) {
    return UnavailableError("connection refused");
  };
  EXPECT_EQ(engine.Run().message(), "sink \"out\": connection refused");
  EXPECT_EQ(engine.failures.size(), 3u);
}

TEST(RetryTest, StopsInsideTheWait) {
  Engine engine(CountJob(""), {.ticks = {{"src", {{{Record("a", 1)}}}}}});
  engine.sink("out").on_deliver = [&](const SinkBatch&) {
    engine.Stop();
    return UnavailableError("connection refused");
  };
  EXPECT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.committed, IsEmpty());
  EXPECT_THAT(engine.Out("out"), IsEmpty());
}

TEST(RetryTest, ShowsNoSinkABatchThatAnotherRefused) {
  Engine engine("  sources:\n" + Source("src") +
                    "  sinks:\n    - {name: first, from: src, console: {}}\n    - {name: second, "
                    "from: src, console: {}}\n",
                {.ticks = {{"src", {{{Record("a", 1)}}}}}});
  std::vector<size_t> visible;
  engine.sink("second").on_deliver = [&](const SinkBatch& batch) {
    if (batch.batch > 1) return OkStatus();  // the end of the source
    visible.push_back(engine.sink("first").visible.size());
    return visible.size() < 3 ? UnavailableError("busy") : OkStatus();
  };
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(visible, ElementsAre(0u, 0u, 0u));
  EXPECT_THAT(engine.Out("first"), ElementsAre(ElementsAre(Record("a", 1))));
}

TEST(RejectTest, FailsTheBatchUnlessTold) {
  Engine engine("  poisonBatch: {attempts: 1}\n  sources:\n" + Source("src") +
                    "  sinks:\n    - {name: out, from: src, console: {}}\n",
                {.ticks = {{"src", {{{Record("a", 1)}}}}}});
  engine.sink("out").why_rejected = [](const std::string&) { return "too large"; };
  EXPECT_EQ(engine.Run().message(), "batch 1 failed 1 time: sink \"out\": too large");
  EXPECT_THAT(engine.Out("out"), IsEmpty());
}

}  // namespace
}  // namespace millrace::worker::testing
