#include "crds/base/file.h"
#include "tests/engine/engine.h"

// How records travel: from sources through shared streams and unions to sinks and dead letters.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string Sinks(const std::vector<std::pair<std::string, std::string>>& sinks) {
  std::string text = "  sinks:\n";
  for (const auto& [name, from] : sinks)
    text += "    - {name: " + name + ", from: " + from + ", console: {}}\n";
  return text;
}

TEST(FlowTest, WritesEveryBatchToItsSink) {
  Engine engine("  sources:\n" + Source("src") + Sinks({{"out", "src"}}),
                {.ticks = {{"src", {{{Record("a", 1), Record("b", 2)}}, {}, {{Record("c", 3)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(Record("a", 1), Record("b", 2)),
                                             ElementsAre(Record("c", 3))));
  EXPECT_TRUE(engine.completed());
}

TEST(FlowTest, UnitesStreamsOfOneBatch) {
  Engine engine(
      "  sources:\n" + Source("left") + Source("right") +
          "  streams:\n"
          "    - {name: small, from: left, steps: [{filter: v < 10}]}\n"
          "    - {name: all, from: small, steps: [{union: [right]}, {set: {v: v + 100}}]}\n" +
          Sinks({{"out", "all"}}),
      {.ticks = {{"left", {{{Record("a", 1), Record("a", 50)}}}},
                 {"right", {{{Record("b", 2)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Sorted("out"), ElementsAre(Record("a", 101), Record("b", 102)));
}

TEST(FlowTest, ReadsASourceOnceForAllThatFollow) {
  Engine engine("  sources:\n" + Source("src") +
                    "  streams:\n"
                    "    - {name: shared, from: src, steps: [{set: {v: v * 2}}]}\n"
                    "    - {name: odd, from: shared, steps: [{filter: 'k == \"a\"'}]}\n"
                    "    - {name: even, from: shared, steps: [{filter: 'k == \"b\"'}]}\n" +
                    Sinks({{"all", "shared"}, {"a", "odd"}, {"b", "even"}}),
                {.ticks = {{"src", {{{Record("a", 1), Record("b", 2)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_EQ(engine.source("src").reads, 1);
  EXPECT_THAT(engine.Out("all"), ElementsAre(ElementsAre(Record("a", 2), Record("b", 4))));
  EXPECT_THAT(engine.Out("a"), ElementsAre(ElementsAre(Record("a", 2))));
  EXPECT_THAT(engine.Out("b"), ElementsAre(ElementsAre(Record("b", 4))));
}

constexpr const char* kLetters =
    "    - {name: letters, from: reasons, onError: Fail, console: {}}\n";
constexpr const char* kReasons =
    "    - {name: reasons, from: deadLetters, steps: [{onError: Fail, map: {origin: origin, "
    "reason: reason, value: string(value)}}]}\n";

std::string Letter(const std::string& origin, const std::string& reason, const std::string& value) {
  return R"({"origin":")" + origin + R"(","reason":")" + reason + R"(","value":)" +
         JsonQuote(value) + "}";
}

TEST(DeadLetterTest, TellsOriginReasonAndRawRecord) {
  Engine engine("  onError: DeadLetter\n  sources:\n" + Source("src") +
                    "  streams:\n    - {name: halves, from: src, steps: [{set: {v: 10 / v}}]}\n" +
                    kReasons + "  sinks:\n    - {name: out, from: halves, console: {}}\n" +
                    kLetters,
                {.ticks = {{"src", {{{Record("a", 5), "oops", Record("b", 0), Record("c", 2)}}}}}});
  engine.sink("out").why_rejected = [](const std::string& row) {
    return row == Record("c", 5) ? "no room" : "";
  };
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(Record("a", 2))));
  EXPECT_THAT(engine.Sorted("letters"),
              UnorderedElementsAre(Letter("src", "Decode", "oops"),
                                   Letter("halves.set", "Expression", Record("b", 0)),
                                   Letter("out", "Rejected", Record("c", 5))));
}

TEST(DeadLetterTest, AreOutputOfTheirOwnBatch) {
  Engine engine("  onError: DeadLetter\n  sources:\n" + Source("src") + "  streams:\n" + kReasons +
                    "  sinks:\n    - {name: out, from: src, console: {}}\n" + kLetters,
                {.ticks = {{"src", {{{"one"}}, {{Record("a", 1)}}, {{"two"}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("letters"), ElementsAre(ElementsAre(Letter("src", "Decode", "one")),
                                                 ElementsAre(Letter("src", "Decode", "two"))));
}

struct PolicyCase {
  const char* name;
  const char* policy;
  std::vector<std::string> out;
  const char* error;  // empty: the job completes
};

class ErrorPolicyTest : public ::testing::TestWithParam<PolicyCase> {};

TEST_P(ErrorPolicyTest, DecidesWhatAFailingExpressionDoes) {
  const PolicyCase& test = GetParam();
  Engine engine(
      "  poisonBatch: {attempts: 1}\n  sources:\n" + Source("src") +
          "  streams:\n    - {name: halves, from: src, steps: [{set: {v: 10 / v}, onError: " +
          test.policy + "}]}\n" + Sinks({{"out", "halves"}, {"dead", "deadLetters"}}),
      {.ticks = {{"src", {{{Record("a", 5), Record("b", 0)}}}}}});
  const Status status = engine.Run();
  EXPECT_EQ(status.ok() ? "" : status.message(), test.error);
  EXPECT_THAT(engine.Sorted("out"), ::testing::ElementsAreArray(test.out));
}

INSTANTIATE_TEST_SUITE_P(
    Policies, ErrorPolicyTest,
    ::testing::Values(
        PolicyCase{"Fail", "Fail", {}, "batch 1 failed 1 time: halves.set: division by zero"},
        PolicyCase{"Skip", "Skip", {Record("a", 2)}, ""},
        PolicyCase{"DeadLetter", "DeadLetter", {Record("a", 2)}, ""},
        PolicyCase{"SetNull", "SetNull", {Record("a", 2), R"({"k":"b","v":null})"}, ""}),
    [](const auto& test) { return test.param.name; });

TEST(SampleTest, TakesTheSameRecordsInEveryRun) {
  std::vector<std::string> lines;
  for (int i = 0; i < 1000; ++i) lines.push_back(Record("k", i));
  const std::string spec =
      "  sources:\n" + Source("src") +
      "  streams:\n    - {name: some, from: src, steps: [{sample: {fraction: 0.1, seed: 7}}]}\n" +
      Sinks({{"out", "some"}});
  Engine first(spec, {.ticks = {{"src", {{lines}}}}, .threads = 1});
  Engine second(spec, {.ticks = {{"src", {{lines}}}}, .threads = 3});
  ASSERT_THAT(first.Run(), IsOk());
  ASSERT_THAT(second.Run(), IsOk());
  EXPECT_EQ(first.Out("out"), second.Out("out"));
  EXPECT_NEAR(static_cast<double>(first.Sorted("out").size()), 100, 40);
}

TEST(RestartTest, GoesOnBehindTheCommittedBatch) {
  const std::string folder = ::testing::TempDir() + "/engine-restart";
  (void)RemoveTree(folder);
  const std::string spec = "  sources:\n" + Source("src") +
                           "  streams:\n    - {name: counts, from: src, steps: [{aggregate: {key: "
                           "[k], window: {global: {}}, values: {hits: count()}}}]}\n" +
                           Sinks({{"out", "counts"}});
  {
    Engine engine(spec, {.ticks = {{"src", {{{Record("a", 1)}}, {{Record("a", 1)}}}}},
                         .state = folder,
                         .schedule = {.max_batches = 2}});
    ASSERT_THAT(engine.Run(), IsOk());
    EXPECT_FALSE(engine.completed());
  }
  Engine engine(spec, {.ticks = {{"src", {{{Record("a", 1)}}}}}, .state = folder});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(R"({"k":"a","hits":3})")));
  EXPECT_EQ(engine.committed.front().plan.batch, 3);
  EXPECT_THAT(engine.failures, IsEmpty());
}

}  // namespace
}  // namespace millrace::worker::testing
