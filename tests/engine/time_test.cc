#include "tests/engine/engine.h"

// Event time, processing time and the clock's ticks, seen from a whole job.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string TumblingJob(const std::string& sources, const std::string& window,
                        const std::string& more = "") {
  return "  sources:\n" + sources +
         "  streams:\n    - {name: counts, from: src, steps: [{aggregate: {key: [k], window: "
         "{tumbling: {length: " +
         window + "}}, values: {hits: count()}" + more + "}}]}\n" +
         "  sinks:\n    - {name: out, from: counts, console: {}}\n    - {name: dead, from: "
         "deadLetters, console: {}}\n";
}

std::string Window(const std::string& key, int start, int end, int n) {
  return R"({"k":")" + key + R"(","windowStart":")" + Second(start) + R"(","windowEnd":")" +
         Second(end) + R"(","hits":)" + std::to_string(n) + "}";
}

TEST(EventTimeTest, ClosesWindowsBehindTheWatermark) {
  Engine engine(TumblingJob(TimedSource("src", "5s"), "10s"),
                {.ticks = {{"src",
                            {{{Timed("a", 1, 3)}},
                             {{Timed("a", 1, 9), Timed("a", 1, 14)}},
                             {{Timed("a", 1, 15)}},
                             {},
                             {}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  // The record of second 15 takes the watermark to 10; the second window leaves when the source
  // ends.
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(Window("a", 0, 10, 2)), ElementsAre(Window("a", 10, 20, 2))));
}

TEST(EventTimeTest, CountsAndLettersLateRows) {
  Engine engine(
      TumblingJob(TimedSource("src"), "10s", ", onLate: DeadLetter"),
      {.ticks = {{"src", {{{Timed("a", 1, 12)}}, {{Timed("a", 1, 3), Timed("b", 1, 13)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Sorted("out"), ElementsAre(Window("a", 10, 20, 1), Window("b", 10, 20, 1)));
  ASSERT_EQ(engine.Sorted("dead").size(), 1u);
  EXPECT_THAT(engine.Sorted("dead")[0],
              ::testing::AllOf(HasSubstr(R"("origin":"counts.aggregate")"),
                               HasSubstr(R"("reason":"Late")")));
  EXPECT_EQ(engine.committed[1].late_records, 1);
}

TEST(EventTimeTest, FlushesAllWhenTheSourcesEnd) {
  Engine engine(TumblingJob(TimedSource("src", "1h"), "10s"),
                {.ticks = {{"src", {{{Timed("a", 1, 3), Timed("a", 1, 33)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(Window("a", 0, 10, 1), Window("a", 30, 40, 1))));
  EXPECT_TRUE(engine.committed.back().plan.final);
}

TEST(EventTimeTest, FlushesNothingWhenStopped) {
  Engine engine(TumblingJob(TimedSource("src"), "10s"),
                {.ticks = {{"src", {{{Timed("a", 1, 3)}}, {{Timed("a", 1, 4)}}}}}});
  engine.source("src").on_read = [&] { engine.Stop(); };
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_EQ(engine.committed.size(), 1u);
  EXPECT_THAT(engine.Out("out"), IsEmpty());
  EXPECT_FALSE(engine.completed());
}

TEST(EventTimeTest, DoesNotWaitForASilentSource) {
  const std::string sources = TimedSource("src") + TimedSource("quiet");
  const std::string spec = "  sources:\n" + sources +
                           "  streams:\n"
                           "    - {name: both, from: src, steps: [{union: [quiet]}]}\n"
                           "    - {name: counts, from: both, steps: [{aggregate: {key: [k], "
                           "window: {tumbling: {length: 10s}}, values: {hits: count()}}}]}\n"
                           "  sinks:\n    - {name: out, from: counts, console: {}}\n";
  Ticks busy{{{Timed("a", 1, 3)}}};
  for (int second = 1; second < 60; ++second) busy.push_back({{Timed("a", 1, 100 + second)}});
  Engine engine(spec, {.ticks = {{"src", busy}, {"quiet", {{{Timed("q", 1, 5)}}}}},
                       .schedule = {.max_batches = 50}});
  engine.source("quiet").ends = false;
  ASSERT_THAT(engine.Run(), IsOk());
  // `quiet` holds the watermark at 5 until it has been silent for its idleTimeout of 30s.
  ASSERT_FALSE(engine.Out("out").empty());
  EXPECT_THAT(engine.Out("out")[0],
              ::testing::IsSupersetOf({Window("a", 0, 10, 1), Window("q", 0, 10, 1)}));
  const int64_t first = engine.sink("out").visible.begin()->first;
  EXPECT_GE(first, 30);
  EXPECT_LE(first, 33);
}

TEST(EventTimeTest, RefusesRecordsBeyondMaxFuture) {
  Engine engine(TumblingJob(TimedSource("src", "0s", ", onError: DeadLetter"), "10s"),
                {.ticks = {{"src", {{{Timed("a", 1, 3601), Timed("a", 1, 3)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Sorted("out"), ElementsAre(Window("a", 0, 10, 1)));
  ASSERT_EQ(engine.Sorted("dead").size(), 1u);
  EXPECT_THAT(
      engine.Sorted("dead")[0],
      HasSubstr("fake:1: event time 2024-01-01T01:00:01Z is more than maxFuture 1h ahead of the "
                "batch time 2024-01-01T00:00:00Z"));
}

// A batch holds what came in the interval before its time: the batch of 00:00:02 is [00:00:01,
// 00:00:02).
const std::string kByClock = ", time: Processing";

TimePoint At(int second) { return TimePoint(std::chrono::seconds(1'704'067'200 + second)); }

TEST(ProcessingTimeTest, ClosesWindowsAtTheTick) {
  Engine engine(
      TumblingJob(Source("src"), "2s", kByClock),
      {.ticks = {
           {"src", {{{Record("a", 1)}}, {{Record("a", 1)}}, {{Record("a", 1)}}, {}, {}, {}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(Window("a", -2, 0, 1)), ElementsAre(Window("a", 0, 2, 2))));
}

TEST(ProcessingTimeTest, ReplaysMissedTicksOneByOne) {
  Engine engine(TumblingJob(Source("src"), "2s", kByClock),
                {.ticks = {{"src",
                            {{{Record("a", 1)}, std::chrono::seconds(7)},
                             {{Record("a", 1)}},
                             {{Record("a", 1)}},
                             {{Record("a", 1)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Sorted("out"),
              ElementsAre(Window("a", -2, 0, 1), Window("a", 0, 2, 2), Window("a", 2, 4, 1)));
}

TEST(ProcessingTimeTest, CoalescesMissedTicks) {
  Engine engine("  missedBatches: Coalesce\n" + TumblingJob(Source("src"), "2s", kByClock),
                {.ticks = {{"src",
                            {{{Record("a", 1)}, std::chrono::seconds(7)},
                             {{Record("a", 1)}},
                             {{Record("a", 1)}},
                             {{Record("a", 1)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Sorted("out"),
              ElementsAre(Window("a", -2, 0, 1), Window("a", 6, 8, 2), Window("a", 8, 10, 1)));
}

TEST(ProcessingTimeTest, FiresADueWindowWithoutInput) {
  Engine engine(TumblingJob(Source("src"), "3s", kByClock),
                {.ticks = {{"src", {{{Record("a", 1)}}}}},
                 .schedule = {.until_idle = std::chrono::seconds(10)},
                 .start = At(1)});
  engine.source("src").ends = false;
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(Window("a", 0, 3, 1))));
  EXPECT_EQ(engine.committed.size(), 2u);  // idle ticks make no batch
}

TEST(IdleTest, CountsFromWhenTheSourcesHaveStarted) {
  Engine engine(
      "  sources:\n" + Source("src") + "  sinks:\n    - {name: out, from: src, console: {}}\n",
      {.ticks = {{"src", {{{Record("a", 1)}}}}},
       .schedule = {.until_idle = std::chrono::seconds(10)}});
  engine.source("src").start_time = std::chrono::seconds(20);
  engine.source("src").ends = false;
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_EQ(engine.Sorted("out").size(), 1u);
}

TEST(StateTest, TimesOutKeysOfStoppedStreams) {
  Engine engine(
      "  sources:\n" + Source("src") +
          "  streams:\n    - name: totals\n      from: src\n      steps:\n"
          "        - state: {key: [k], fields: {sum: {type: int, init: '0'}}, update: {sum: "
          "state.sum + v}, output: {when: 'false', fields: {k: k, sum: state.sum}},\n"
          "                  timeout: {idle: 3s}, onTimeout: {fields: {k: k, sum: state.sum}}}\n"
          "  sinks:\n    - {name: out, from: totals, console: {}}\n",
      {.ticks = {{"src", {{{Record("a", 1)}}, {{Record("a", 2)}}}}},
       .schedule = {.until_idle = std::chrono::seconds(10)}});
  engine.source("src").ends = false;
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(R"({"k":"a","sum":3})")));
}

}  // namespace
}  // namespace millrace::worker::testing
