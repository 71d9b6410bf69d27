#include "tests/engine/engine.h"

// Windows behind windows and behind updating streams, seen from a whole job.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Job(const std::string& source, const std::string& steps) {
  return "  sources:\n" + source +
         "  streams:\n    - name: result\n      from: src\n      steps:\n" + steps +
         "  sinks:\n    - {name: out, from: result, console: {}}\n";
}

TEST(WindowTest, CountWindowsSayWhatChangedInEveryBatch) {
  Engine engine(Job(Source("src"),
                    "        - aggregate: {key: [k], window: {count: {length: 2}}, emit: Changes, "
                    "values: {total: sum(v)}}\n"),
                {.ticks = {{"src",
                            {{{Record("a", 1), Record("b", 10)}},
                             {{Record("a", 2), Record("a", 4)}},
                             {{Record("b", 20)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  const auto row = [](const std::string& key, int total) {
    return R"({"k":")" + key + R"(","total":)" + std::to_string(total) + "}";
  };
  const Batches out = engine.Out("out");
  ASSERT_GE(out.size(), 3u);
  EXPECT_THAT(out[0], ::testing::UnorderedElementsAre(row("a", 1), row("b", 10)));
  EXPECT_THAT(out[1], ElementsAre(row("a", 3), row("a", 4)));
  EXPECT_THAT(out[2], ElementsAre(row("b", 30)));
}

TEST(WindowTest, RowsOfAWindowFallIntoTheRightOneOfTheNext) {
  Engine engine(
      Job(TimedSource("src"),
          "        - {name: tens, aggregate: {key: [k], window: {tumbling: {length: 10s}}, values: "
          "{hits: count()}}}\n"
          "        - {name: thirties, aggregate: {window: {tumbling: {length: 30s}}, values: "
          "{windows: count(), records: sum(hits)}}}\n"),
      {.ticks = {{"src",
                  {{{Timed("a", 1, 3), Timed("a", 1, 12), Timed("b", 1, 29)}},
                   {{Timed("a", 1, 31)}},
                   {{Timed("a", 1, 61)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Sorted("out"), ElementsAre(HasSubstr(R"("records":3,"windows":3)"),
                                                HasSubstr(R"("records":1,"windows":1)"),
                                                HasSubstr(R"("records":1,"windows":1)")));
}

TEST(WindowTest, KeylessWindowsAreFilledFromTheFirstRecordToTheWatermark) {
  Engine engine(Job(TimedSource("src"),
                    "        - aggregate: {window: {sliding: {length: 20s, slide: 10s}}, values: "
                    "{hits: count(), total: sum(v)}}\n"),
                {.ticks = {{"src",
                            {{{Timed("a", 1, 3), Timed("b", 5, 4)}},
                             {{Timed("a", 7, 55)}},
                             {{Timed("b", 1, 57)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  const auto row = [](int start, int hits, const std::string& total) {
    return R"({"windowStart":")" + Second(start) + R"(","windowEnd":")" + Second(start + 20) +
           R"(","hits":)" + std::to_string(hits) + R"(,"total":)" + total + "}";
  };
  const std::string before_epoch_of_test =
      R"({"windowStart":"2023-12-31T23:59:50Z","windowEnd":")" + Second(10) +
      R"(","hits":2,"total":6})";
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(before_epoch_of_test, row(0, 2, "6"), row(10, 0, "null"),
                                      row(20, 0, "null"), row(30, 0, "null")),
                          ElementsAre(row(40, 2, "8"), row(50, 2, "8"))));
}

TEST(WindowTest, TopNamesItsWindowAndDeadLettersLateRows) {
  Engine engine(Job(TimedSource("src"),
                    "        - top: {key: [k], limit: 1, window: {tumbling: {length: 10s}}, "
                    "orderBy: [{value: v}], onLate: DeadLetter}\n"
                    "        - map: {k: k, v: v, rank: rank, from: windowStart, to: windowEnd, at: "
                    "__eventTime}\n") +
                    "    - {name: dead, from: deadLetters, console: {}}\n",
                {.ticks = {{"src",
                            {{{Timed("a", 1, 3), Timed("a", 9, 4), Timed("b", 2, 5)}},
                             {{Timed("a", 1, 12)}},
                             {{Timed("a", 5, 8)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  const auto row = [](const std::string& key, int value, int start) {
    return R"({"at":"2024-01-01T00:00:)" + std::string(start == 0 ? "0" : "1") +
           R"(9.999Z","from":")" + Second(start) + R"(","k":")" + key + R"(","rank":1,"to":")" +
           Second(start + 10) + R"(","v":)" + std::to_string(value) + "}";
  };
  EXPECT_THAT(engine.Sorted("out"), ElementsAre(row("a", 9, 0), row("b", 2, 0), row("a", 1, 10)));
  ASSERT_EQ(engine.Sorted("dead").size(), 1u);
  EXPECT_THAT(
      engine.Sorted("dead")[0],
      ::testing::AllOf(HasSubstr(R"("origin":"result.top")"), HasSubstr(R"("reason":"Late")"),
                       HasSubstr(R"("value":")" + Base64Encode(Timed("a", 5, 8)) + "\"")));
  EXPECT_EQ(engine.committed[2].late_records, 1);
}

TEST(WindowTest, TopOfABatchLeavesOutGroupsThatAreNoMore) {
  Engine engine(
      Job(Source("src"),
          "        - aggregate: {key: [v], latestBy: [k], window: {global: {}}, values: {hits: "
          "count()}}\n"
          "        - top: {limit: 5, window: {batch: {}}, orderBy: [{value: hits}]}\n"),
      {.ticks = {{"src", {{{Record("a", 1)}}, {{Record("a", 2)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(R"({"v":1,"hits":1,"rank":1})"),
                                             ElementsAre(R"({"v":2,"hits":1,"rank":1})")));
}

TEST(WindowTest, IdleKeysOfAGlobalWindowAreCounted) {
  Engine engine(Job(TimedSource("src"),
                    "        - top: {key: [k], limit: 1, window: {global: {ttl: 10s}}, orderBy: "
                    "[{value: v}]}\n"),
                {.ticks = {{"src",
                            {{{Timed("a", 1, 1), Timed("b", 1, 1)}},
                             {{Timed("b", 2, 20)}},
                             {{Timed("b", 3, 21)}},
                             {{Timed("b", 4, 22)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  int64_t expired = 0;
  for (const BatchInfo& info : engine.committed) expired += info.expired_keys;
  EXPECT_EQ(expired, 1);
}

}  // namespace
}  // namespace millrace::worker::testing
