#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/step/aggregate_harness.h"

namespace millrace::worker {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

api::AggregateStep Counting(api::Window window, std::vector<std::string> key = {"user"}) {
  api::AggregateStep spec;
  spec.key = std::move(key);
  spec.window = window;
  spec.values = {{"n", "count()"}};
  return spec;
}

std::unique_ptr<KeyedStep> Make(const api::AggregateStep& spec, int groups = 1) {
  api::Diagnostics diagnostics;
  auto step = MakeAggregateStep(spec, TestEnv(&diagnostics, groups));
  for (const auto& d : diagnostics) ADD_FAILURE() << d.path << ": " << d.message;
  return step;
}

std::vector<std::string> Errors(const api::AggregateStep& spec, bool has_event_time = true) {
  api::Diagnostics diagnostics;
  StepEnv env = TestEnv(&diagnostics, 4);
  env.input.has_event_time = has_event_time;
  EXPECT_EQ(MakeAggregateStep(spec, env), nullptr);
  std::vector<std::string> messages;
  for (const auto& d : diagnostics)
    messages.push_back(d.path.substr(env.path.size()) + ": " + d.message);
  return messages;
}

TestBatch One(std::vector<TestRecord> records) { return {std::move(records)}; }

TEST(AggregateTest, TumblingWindowLeavesOnceWhenTheWatermarkPassesItsEnd) {
  const auto step = Make(Counting(api::TumblingWindow{seconds(10)}));
  StepHarness stream(step.get(), Handover::kKeep);
  EXPECT_THAT(stream.Run(One({{"ann", 1}, {"bob", 2}, {"ann", 9}, {"ann", 11}}), 9), IsEmpty());
  EXPECT_THAT(
      stream.Run(One({}), 10),
      ElementsAre(
          R"({"user":"ann","windowStart":"1970-01-01T00:00:00Z","windowEnd":"1970-01-01T00:00:10Z","n":2})",
          R"({"user":"bob","windowStart":"1970-01-01T00:00:00Z","windowEnd":"1970-01-01T00:00:10Z","n":1})"));
  EXPECT_THAT(stream.Run(One({}), 15), IsEmpty());
  EXPECT_THAT(stream.Run(One({}), std::nullopt, true), ElementsAre(HasSubstr(R"("n":1)")));
  EXPECT_EQ(stream.keys(), 0);
}

TEST(AggregateTest, CountsAndDeadLettersRecordsOfClosedWindows) {
  api::AggregateStep spec = Counting(api::TumblingWindow{seconds(10)});
  spec.on_late = api::OnLate::kDeadLetter;
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kKeep);
  (void)stream.Run(One({{"ann", 1}}), 12);
  EXPECT_THAT(stream.Run(One({{"ann", 9}, {"ann", 10}}), 12), IsEmpty());
  EXPECT_EQ(stream.report().late_records, 2);  // the first came after its batch's watermark too
  EXPECT_EQ(stream.dead_letters().size(), 2u);
}

TEST(AggregateTest, SlidingWindowCountsRecordsInThoseWindowsThatAreOpen) {
  const auto step = Make(Counting(api::SlidingWindow{seconds(10), seconds(5)}));
  StepHarness stream(step.get(), Handover::kKeep);
  (void)stream.Run(One({{"ann", 7}}), 5);
  EXPECT_THAT(stream.Run(One({}), 10),
              ElementsAre(HasSubstr(R"("windowEnd":"1970-01-01T00:00:10Z","n":1)")));
  EXPECT_THAT(stream.Run(One({{"ann", 8}}), 15),
              ElementsAre(HasSubstr(R"("windowEnd":"1970-01-01T00:00:15Z","n":1)")));
  EXPECT_EQ(stream.report().late_records, 1);
}

TEST(AggregateTest, SessionsMergeWhenARecordFallsBetweenThem) {
  const auto step = Make(Counting(api::SessionWindow{seconds(10)}));
  StepHarness stream(step.get(), Handover::kSnapshot);
  (void)stream.Run(One({{"ann", 0}, {"ann", 20}, {"bob", 1}}), 0);
  EXPECT_EQ(stream.keys(), 2);
  (void)stream.Run(One({{"ann", 10}}), 5);
  EXPECT_THAT(stream.Run(One({}), 31),
              ElementsAre(HasSubstr(R"("user":"bob")"),
                          HasSubstr(R"("windowEnd":"1970-01-01T00:00:30Z","n":3)")));
}

TEST(AggregateTest, SessionUpdatesWithdrawAnAbsorbedSession) {
  api::AggregateStep spec = Counting(api::SessionWindow{seconds(10)});
  spec.emit = api::Emit::kChanges;
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kDeltas);
  EXPECT_THAT(stream.Run(One({{"ann", 20}}), 0), ElementsAre(HasSubstr(R"("n":1)")));
  EXPECT_THAT(
      stream.Run(One({{"ann", 12}}), 0),
      ElementsAre(HasSubstr(R"("windowStart":"1970-01-01T00:00:12Z")"), testing::StartsWith("-")));
}

TEST(AggregateTest, SessionIsCutAtItsMaximumLength) {
  const auto step = Make(Counting(api::SessionWindow{seconds(10), seconds(25)}));
  StepHarness stream(step.get(), Handover::kKeep);
  EXPECT_THAT(
      stream.Run(One({{"a", 0}, {"a", 10}, {"a", 20}, {"a", 30}, {"a", 35}}), std::nullopt, true),
      ElementsAre(HasSubstr(R"("n":3)"), HasSubstr(R"("n":2)")));
}

TEST(AggregateTest, CountWindowsHoldTheLastRecordsOfEachKey) {
  api::CountWindow window{3, 2};
  api::AggregateStep spec = Counting(window);
  spec.values = {{"n", "count()"}, {"s", "sum(amount)"}};
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kDeltas);
  EXPECT_THAT(stream.Run(One({{"a", 0, 1}, {"a", 0, 2}, {"b", 0, 7}}), 0),
              ElementsAre(R"({"user":"a","n":2,"s":3})"));
  EXPECT_THAT(stream.Run(One({{"a", 0, 4}, {"a", 0, 8}, {"a", 0, 16}}), 0),
              ElementsAre(R"({"user":"a","n":3,"s":14})"));
  EXPECT_THAT(stream.Run(One({}), 0, true),
              ElementsAre(R"({"user":"a","n":2,"s":24})", R"({"user":"b","n":1,"s":7})"));
}

TEST(AggregateTest, GlobalWindowSaysWhatChangedAndForgetsIdleKeys) {
  api::AggregateStep spec = Counting(api::GlobalWindow{seconds(3)});
  spec.time = api::TimeDomain::kProcessing;
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kDeltas);
  EXPECT_THAT(stream.Run(One({{"a", 0}, {"b", 0}}), 0), testing::SizeIs(2));
  EXPECT_THAT(stream.Run(One({{"a", 0}}), 0), ElementsAre(R"({"user":"a","n":2})"));
  EXPECT_THAT(stream.Run(One({}), 0), IsEmpty());
  EXPECT_THAT(stream.Run(One({}), 0), IsEmpty());
  EXPECT_EQ(stream.keys(), 1);  // b was last seen at 1 s, now it is 4 s
  EXPECT_EQ(stream.report().expired_keys, 1);
  EXPECT_THAT(stream.Run(One({{"b", 0}}), 0), ElementsAre(R"({"user":"b","n":1})"));
}

TEST(AggregateTest, AllSaysEveryLiveRowEveryBatch) {
  api::AggregateStep spec = Counting(api::GlobalWindow{});
  spec.emit = api::Emit::kAll;
  const auto step = Make(spec, 8);
  StepHarness stream(step.get(), Handover::kKeep);
  EXPECT_THAT(stream.Run(One({{"a", 0}, {"b", 0}}), 0), testing::SizeIs(2));
  EXPECT_THAT(stream.Run(One({}), 0), testing::SizeIs(2));
}

TEST(AggregateTest, LatestByReplacesEarlierContributions) {
  api::AggregateStep spec = Counting(api::GlobalWindow{}, {"item"});
  spec.latest_by = {"user"};
  spec.delete_when = "gone";
  spec.values = {{"n", "count()"}, {"s", "sum(amount)"}};
  const auto step = Make(spec, 8);
  EXPECT_EQ(step->units(), 1);
  StepHarness stream(step.get(), Handover::kDeltas);
  EXPECT_THAT(stream.Run(One({{"u1", 0, 5, "new"}, {"u2", 0, 7, "new"}}), 0),
              ElementsAre(R"({"item":"new","n":2,"s":12})"));
  EXPECT_THAT(stream.Run(One({{"u1", 0, 6, "paid"}}), 0),
              ElementsAre(R"({"item":"new","n":1,"s":7})", R"({"item":"paid","n":1,"s":6})"));
  EXPECT_THAT(stream.Run(One({{"u2", 0, 7, "new", true}}), 0),
              ElementsAre(testing::StartsWith(R"(-{"item":"new","n":0)")));
  EXPECT_EQ(stream.keys(), 1);
}

TEST(AggregateTest, KeylessWindowsLeaveEmptyOnesToo) {
  api::AggregateStep spec = Counting(api::TumblingWindow{seconds(10)}, {});
  spec.values = {{"n", "count()"}, {"s", "sum(amount)"}};
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kDeltas);
  EXPECT_THAT(stream.Run(One({}), 100), IsEmpty());  // nothing before the first record
  (void)stream.Run(One({{"a", 105, 3}}), 100);
  EXPECT_THAT(stream.Run(One({}), 130),
              ElementsAre(HasSubstr(R"("n":1,"s":3)"), HasSubstr(R"("n":0,"s":null)"),
                          HasSubstr(R"("n":0,"s":null)")));
}

TEST(AggregateTest, KeylessBatchWindowCountsEmptyBatches) {
  const auto step = Make(Counting(api::BatchWindow{}, {}));
  StepHarness stream(step.get(), Handover::kKeep);
  EXPECT_THAT(stream.Run(One({{"a", 0}, {"b", 0}}), 0), ElementsAre(R"({"n":2})"));
  EXPECT_THAT(stream.Run(One({}), 0), ElementsAre(R"({"n":0})"));
}

TEST(AggregateTest, ProcessingTimeWindowsCloseWithTheirBatch) {
  api::AggregateStep spec = Counting(api::TumblingWindow{seconds(2)});
  spec.time = api::TimeDomain::kProcessing;
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kSnapshot);
  EXPECT_THAT(stream.Run(One({{"a", 77}}), std::nullopt), IsEmpty());
  EXPECT_THAT(stream.Run(One({{"a", 3}}), std::nullopt),
              ElementsAre(HasSubstr(R"("windowEnd":"1970-01-01T00:00:02Z","n":2)")));
}

TEST(AggregateTest, CombinesSeveralAggregatesInOneExpression) {
  api::AggregateStep spec = Counting(api::BatchWindow{});
  spec.values = {{"mean", "sum(price) / double(count())"}, {"big", "countIf(amount > 4) * 10"}};
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kKeep);
  EXPECT_THAT(stream.Run(One({{"a", 0, 4}, {"a", 0, 8}}), 0),
              ElementsAre(testing::AllOf(HasSubstr(R"("big":10)"), HasSubstr(R"("mean":1.5)"))));
}

TEST(AggregateTest, OverflowNamesStepKeyAndCall) {
  api::AggregateStep spec = Counting(api::BatchWindow{});
  spec.values = {{"s", "sum(amount)"}};
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kKeep);
  (void)stream.Run(One({{"ann", 0, INT64_MAX}, {"ann", 0, 1}}), 0);
  EXPECT_THAT(stream.status().message(),
              testing::AllOf(HasSubstr("stream.step: key {\"user\":\"ann\"}"),
                             HasSubstr("sum(amount)"), HasSubstr("overflows")));
}

TEST(AggregateTest, CollectingTooManyValuesIsAnErrorWithTheLimit) {
  api::AggregateStep spec = Counting(api::GlobalWindow{});
  spec.values = {{"c", "collect(amount)"}};
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kKeep);
  const std::vector<TestRecord> many(6000, {"ann", 0, 1});
  (void)stream.Run(One(many), 0);
  EXPECT_TRUE(stream.status().ok());
  (void)stream.Run(One(many), 0);
  EXPECT_THAT(stream.status().message(), testing::AllOf(HasSubstr("ann"), HasSubstr("10000")));
}

TEST(AggregateTest, RefusesWhatCannotWorkWithItsPath) {
  api::AggregateStep global = Counting(api::GlobalWindow{});
  global.emit = api::Emit::kFinal;
  EXPECT_THAT(Errors(global), ElementsAre(HasSubstr(".emit: Final with a global window")));
  EXPECT_THAT(Errors(Counting(api::SlidingWindow{seconds(5), seconds(6)})),
              ElementsAre(HasSubstr(".window.sliding.slide: ")));
  api::AggregateStep event = Counting(api::TumblingWindow{seconds(5)});
  event.time = api::TimeDomain::kEvent;
  EXPECT_THAT(Errors(event, false), ElementsAre(HasSubstr(".time: Event needs event time")));
  EXPECT_THAT(Errors(Counting(api::TumblingWindow{std::chrono::milliseconds(2500)}), false),
              ElementsAre(HasSubstr("no multiple of batchInterval")));
  api::AggregateStep latest = Counting(api::GlobalWindow{}, {"item"});
  latest.latest_by = {"user"};
  latest.values = {{"m", "max(amount)"}};
  EXPECT_THAT(Errors(latest), ElementsAre(HasSubstr(".values.m: max() cannot take")));
  api::AggregateStep reduce = Counting(api::BatchWindow{});
  reduce.values = {{"r", "reduce(amount, \"a + b\")"}};
  EXPECT_THAT(Errors(reduce), ElementsAre(HasSubstr("not supported yet")));
  api::AggregateStep text = Counting(api::BatchWindow{});
  text.values = {{"s", "sum(item)"}};
  EXPECT_THAT(Errors(text), ElementsAre(HasSubstr("found string")));
}

}  // namespace
}  // namespace millrace::worker
