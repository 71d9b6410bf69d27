#include <gtest/gtest.h>

#include <random>

#include "worker/step/step_testing.h"

namespace millrace::worker {
namespace {

using api::JoinStep;
using testing::Carry;
using testing::Int;
using testing::KeyedRunner;
using testing::MakeBatch;
using testing::MakeContext;
using testing::MakeSchema;
using testing::Row;
using testing::TestEnv;
using testing::Text;

using Lines = std::vector<std::string>;

const Schema& Shown() {
  static const Schema schema =
      MakeSchema({{"id", "string"}, {"a", "int"}, {"__eventTime", "timestamp"}});
  return schema;
}
const Schema& Clicks() {
  static const Schema schema =
      MakeSchema({{"ad", "string?"}, {"b", "int"}, {"__eventTime", "timestamp"}});
  return schema;
}

JoinStep Spec(api::Window window, JoinStep::Type type) {
  return {"clicks", {"id"}, {"ad"}, std::move(window), type, "click", std::nullopt};
}
api::Window Interval(int64_t before, int64_t after) {
  return api::IntervalWindow{Duration(before), Duration(after)};
}
api::Window Tumbling(int64_t length) { return api::TumblingWindow{Duration(length), Duration(0)}; }

TEST(JoinStepTest, JoinsTheRecordsOfABatch) {
  TestEnv env(Shown(), Clicks());
  const auto step = MakeJoinStep(Spec(api::BatchWindow{}, JoinStep::Type::kFull), env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  EXPECT_FALSE(step->stateful());
  KeyedRunner runner(*step);
  const RecordBatch left =
      MakeBatch(Shown(), {{Text("x"), Int(1), Int(5)}, {Text("y"), Int(2), Int(6)}});
  const RecordBatch right =
      MakeBatch(Clicks(), {{Text("x"), Int(10), Int(7)}, {nullptr, Int(11), Int(8)}});
  EXPECT_EQ(testing::Sorted(runner.Run({left, right}, MakeContext(0))),
            testing::Sorted({R"({"id":"x","a":1,"click":{"ad":"x","b":10}})",
                             R"({"id":"y","a":2,"click":null})",
                             R"({"id":null,"a":null,"click":{"ad":null,"b":11}})"}));
}

TEST(JoinStepTest, TakesKeyFieldsFromTheRightWhereNoLeftIs) {
  TestEnv env(Shown(), Clicks());
  const auto step = MakeJoinStep(Spec(api::BatchWindow{}, JoinStep::Type::kRight), env.env);
  KeyedRunner runner(*step);
  const RecordBatch right = MakeBatch(Clicks(), {{Text("x"), Int(10), Int(7)}});
  EXPECT_EQ(runner.Run({MakeBatch(Shown(), {}), right}, MakeContext(0)),
            (Lines{R"({"id":"x","a":null,"click":{"ad":"x","b":10}})"}));
  EXPECT_EQ(step->output_schema()->ToString(),
            "{id: string?, a: int?, click: struct<ad: string?, b: int>}");
}

TEST(JoinStepTest, HoldsTheWatermarkBackByAfter) {
  TestEnv env(Shown(), Clicks());
  const auto inner = MakeJoinStep(Spec(Interval(3, 10), JoinStep::Type::kInner), env.env);
  EXPECT_EQ(inner->output_watermark().hold_back, Duration(10));
  EXPECT_EQ(inner->output_watermark().sources, (std::vector<int>{0, 1}));
  EXPECT_FALSE(inner->output_watermark().cascaded);
  const auto left = MakeJoinStep(Spec(Interval(3, 10), JoinStep::Type::kLeft), env.env);
  EXPECT_TRUE(left->output_watermark().cascaded);
}

TEST(JoinStepTest, LetsALeftRowGoOnceNoPartnerCanCome) {
  TestEnv env(Shown(), Clicks());
  const auto step = MakeJoinStep(Spec(Interval(0, 10), JoinStep::Type::kLeft), env.env);
  KeyedRunner runner(*step);
  const RecordBatch none = MakeBatch(Clicks(), {});
  EXPECT_EQ(
      runner.Run({MakeBatch(Shown(), {{Text("x"), Int(1), Int(100)}}), none}, MakeContext(0, 90)),
      Lines{});
  EXPECT_EQ(runner.Run({MakeBatch(Shown(), {}), none}, MakeContext(1, 110, 90)), Lines{});
  EXPECT_TRUE(runner.HasWork(MakeContext(2, 111, 110)));
  EXPECT_EQ(runner.Run({MakeBatch(Shown(), {}), none}, MakeContext(2, 111, 110)),
            (Lines{R"({"id":"x","a":1,"click":null})"}));
  EXPECT_EQ(runner.keys(), 0);
}

TEST(JoinStepTest, SaysAWindowWhenItCloses) {
  TestEnv env(Shown(), Clicks());
  const auto step = MakeJoinStep(Spec(Tumbling(1'000'000), JoinStep::Type::kInner), env.env);
  KeyedRunner runner(*step);
  const RecordBatch left = MakeBatch(Shown(), {{Text("x"), Int(1), Int(100)}});
  const RecordBatch right =
      MakeBatch(Clicks(), {{Text("x"), Int(2), Int(999'999)}, {Text("x"), Int(3), Int(1'000'000)}});
  EXPECT_EQ(runner.Run({left, right}, MakeContext(0, 0)), Lines{});
  EXPECT_FALSE(runner.HasWork(MakeContext(1, 999'999, 0)));
  EXPECT_EQ(
      runner.Run({MakeBatch(Shown(), {}), MakeBatch(Clicks(), {})}, MakeContext(1, 1'000'000, 0)),
      (Lines{R"({"id":"x","a":1,"click":{"ad":"x","b":2},"windowStart":"1970-01-01T00:00:00Z",)"
             R"("windowEnd":"1970-01-01T00:00:01Z"})"}));
}

TEST(JoinStepTest, DropsKeysThatWereIdleForTheTtl) {
  TestEnv env(Shown(), Clicks());
  const auto step =
      MakeJoinStep(Spec(api::GlobalWindow{Duration(50)}, JoinStep::Type::kInner), env.env);
  KeyedRunner runner(*step);
  runner.Run({MakeBatch(Shown(), {{Text("x"), Int(1), Int(100)}}), MakeBatch(Clicks(), {})},
             MakeContext(0, 90));
  runner.Run({MakeBatch(Shown(), {}), MakeBatch(Clicks(), {{Text("x"), Int(2), Int(140)}})},
             MakeContext(1, 130, 90));
  EXPECT_FALSE(runner.HasWork(MakeContext(2, 150, 130)));
  runner.Run({MakeBatch(Shown(), {}), MakeBatch(Clicks(), {})}, MakeContext(2, 190, 130));
  EXPECT_EQ(runner.keys(), 1);
  runner.Run({MakeBatch(Shown(), {}), MakeBatch(Clicks(), {})}, MakeContext(3, 191, 190));
  EXPECT_EQ(runner.keys(), 0);
  EXPECT_EQ(runner.task.report.expired_keys, 1);
}

TEST(JoinStepTest, BatchWindowLeavesOutRowsThatAnUpdatingStreamDeleted) {
  Schema left = Shown();
  left.Set({std::string(kDeletedField), Type(Kind::kBool)});
  TestEnv env(left, Clicks());
  const auto step = MakeJoinStep(Spec(api::BatchWindow{}, JoinStep::Type::kLeft), env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  KeyedRunner runner(*step);
  const RecordBatch rows =
      MakeBatch(left, {{Text("x"), Int(1), Int(5), true}, {Text("y"), Int(2), Int(6), false}});
  EXPECT_EQ(runner.Run({rows, MakeBatch(Clicks(), {})}, MakeContext(0)),
            (Lines{R"({"id":"y","a":2,"click":null})"}));
}

TEST(JoinStepTest, TheEndOfTheInputMakesNoKeyIdle) {
  TestEnv env(Shown(), Clicks());
  const auto step =
      MakeJoinStep(Spec(api::GlobalWindow{Duration(50)}, JoinStep::Type::kInner), env.env);
  KeyedRunner runner(*step);
  runner.Run({MakeBatch(Shown(), {{Text("x"), Int(1), Int(100)}}), MakeBatch(Clicks(), {})},
             MakeContext(0, 90));
  EXPECT_FALSE(runner.HasWork(MakeContext(1, 90, 90, true)));
  runner.Run({MakeBatch(Shown(), {}), MakeBatch(Clicks(), {})}, MakeContext(1, 90, 90, true));
  EXPECT_EQ(runner.keys(), 1);
  EXPECT_EQ(runner.task.report.expired_keys, 0);
}

TEST(JoinStepTest, ReportsEveryMistake) {
  const Schema other = MakeSchema({{"ad", "int"}});
  TestEnv env(Shown(), other);
  JoinStep spec = Spec(api::GlobalWindow{}, JoinStep::Type::kLeft);
  EXPECT_EQ(MakeJoinStep(spec, env.env), nullptr);
  EXPECT_EQ(
      env.errors(),
      "step.withKey[0]: \"ad\" of \"clicks\" is of type int, but \"id\" is of type string\n"
      "step.type: a global window never ends, so a row is never known to have no partner; use "
      "Inner, or an interval or tumbling window\n");
  TestEnv event(Shown(), MakeSchema({{"ad", "string"}}));
  spec = Spec(api::BatchWindow{}, JoinStep::Type::kInner);
  spec.time = api::TimeDomain::kEvent;
  EXPECT_EQ(MakeJoinStep(spec, event.env), nullptr);
  EXPECT_EQ(event.errors(),
            "step.time: Event needs event time on both sides; give both sources eventTime or use "
            "Processing\n");
}

// ---- all windows and types against nested loops over the whole history
// -----------------------------------

struct Case {
  const char* name;
  api::Window window;
  JoinStep::Type type;
};

std::string RowText(const Row* left, const Row* right) {
  const auto text = [](const testing::Value& value) {
    return std::holds_alternative<std::string>(value) ? "\"" + std::get<std::string>(value) + "\""
                                                      : "null";
  };
  const Row& any = left != nullptr ? *left : *right;
  std::string line = "{\"id\":" + text(any[0]);
  line += ",\"a\":" + (left != nullptr ? std::to_string(std::get<int64_t>((*left)[1])) : "null");
  line += ",\"click\":";
  if (right == nullptr) return line + "null";
  return line + "{\"ad\":" + text((*right)[0]) +
         ",\"b\":" + std::to_string(std::get<int64_t>((*right)[1])) + "}";
}

bool Meet(const api::Window& window, const Row& left, const Row& right) {
  if (std::holds_alternative<std::nullptr_t>(right[0])) return false;
  if (std::get<std::string>(left[0]) != std::get<std::string>(right[0])) return false;
  const int64_t t = std::get<int64_t>(left[2]);
  const int64_t u = std::get<int64_t>(right[2]);
  if (const auto* tumbling = std::get_if<api::TumblingWindow>(&window)) {
    return t / tumbling->length.count() == u / tumbling->length.count();
  }
  const auto* interval = std::get_if<api::IntervalWindow>(&window);
  return interval == nullptr ||
         (u >= t - interval->before.count() && u <= t + interval->after.count());
}

Lines NaiveJoin(const Case& c, const std::vector<Row>& left, const std::vector<Row>& right) {
  Lines lines;
  std::vector<bool> met(right.size());
  const bool keeps_left = c.type == JoinStep::Type::kLeft || c.type == JoinStep::Type::kFull;
  const bool keeps_right = c.type == JoinStep::Type::kRight || c.type == JoinStep::Type::kFull;
  for (const Row& l : left) {
    bool alone = true;
    for (size_t r = 0; r < right.size(); ++r) {
      if (!Meet(c.window, l, right[r])) continue;
      lines.push_back(RowText(&l, &right[r]));
      met[r] = true;
      alone = false;
    }
    if (alone && keeps_left) lines.push_back(RowText(&l, nullptr));
  }
  for (size_t r = 0; r < right.size() && keeps_right; ++r) {
    if (!met[r]) lines.push_back(RowText(nullptr, &right[r]));
  }
  return testing::Sorted(lines);
}

// Runs a random stream in 30 batches; collects the input into `left` and `right`.
Lines RunRandom(const Case& c, Carry carry, std::vector<Row>* left, std::vector<Row>* right) {
  std::mt19937 random(11);
  TestEnv env(Shown(), Clicks());
  const auto step = MakeJoinStep(Spec(c.window, c.type), env.env);
  KeyedRunner runner(*step, carry);
  Lines all;
  int64_t previous = INT64_MIN;
  for (int64_t batch = 0; batch <= 30; ++batch) {
    std::vector<Row> rows[2];
    for (int i = 0; i < 24 && batch < 30; ++i) {
      const int64_t time = batch * 10 + static_cast<int64_t>(random() % 25);
      testing::Value key = Text("k" + std::to_string(random() % 12));
      const int side = random() % 2;
      if (side == 1 && random() % 8 == 0) key = nullptr;
      rows[side].push_back({key, Int(batch * 100 + i), Int(time)});
    }
    const BatchContext context = MakeContext(batch, batch * 10, previous, batch == 30);
    const Lines got =
        runner.Run({MakeBatch(Shown(), rows[0]), MakeBatch(Clicks(), rows[1])}, context);
    EXPECT_EQ(runner.status.ToString(), "ok");
    all.insert(all.end(), got.begin(), got.end());
    left->insert(left->end(), rows[0].begin(), rows[0].end());
    right->insert(right->end(), rows[1].begin(), rows[1].end());
    previous = batch * 10;
  }
  EXPECT_EQ(runner.task.report.late_records, 0);
  return all;
}

// Without the window columns of tumbling joins.
Lines WithoutWindow(Lines lines) {
  for (std::string& line : lines) {
    const size_t at = line.find(",\"windowStart\"");
    line = at == std::string::npos ? line.substr(0, line.size() - 1) : line.substr(0, at);
  }
  return lines;
}

TEST(JoinStepTest, AgreesWithNestedLoopsHoweverStateTravels) {
  using Type = JoinStep::Type;
  std::vector<Case> cases{{"global", api::GlobalWindow{}, Type::kInner}};
  for (const Type type : {Type::kInner, Type::kLeft, Type::kRight, Type::kFull}) {
    cases.push_back({"interval", Interval(7, 20), type});
    cases.push_back({"tumbling", Tumbling(25), type});
  }
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.name) + " type " + std::to_string(static_cast<int>(c.type)) +
                 " seed 11");
    std::vector<Row> left, right;
    const Lines straight = RunRandom(c, Carry::kInMemory, &left, &right);
    EXPECT_EQ(testing::Sorted(WithoutWindow(straight)), NaiveJoin(c, left, right));
    EXPECT_EQ(RunRandom(c, Carry::kBySnapshot, &left, &right), straight);
    EXPECT_EQ(RunRandom(c, Carry::kByDeltas, &left, &right), straight);
  }
}

}  // namespace
}  // namespace millrace::worker
