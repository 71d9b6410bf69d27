#include <gtest/gtest.h>

#include "worker/step/step_testing.h"

namespace millrace::worker {
namespace {

using testing::Int;
using testing::Lines;
using testing::MakeBatch;
using testing::MakeSchema;
using testing::TestEnv;
using testing::TestTask;
using testing::Text;

using Texts = std::vector<std::string>;

const Schema& Orders() {
  static const Schema schema = MakeSchema({{"name", "string"},
                                           {"n", "int"},
                                           {"d", "int"},
                                           {"__eventTime", "timestamp"},
                                           {"__position", "uint"}});
  return schema;
}

RecordBatch SomeOrders() {
  return MakeBatch(Orders(), {{Text("a"), Int(6), Int(2), Int(1), Int(11)},
                              {Text("b"), Int(7), Int(0), Int(2), Int(12)},
                              {Text("c"), Int(8), Int(4), Int(3), Int(13)}});
}

// Rows that the step makes of SomeOrders, or the text of its failure.
Texts Apply(const NarrowStep& step, TestTask* task) {
  TaskRun run = task->run();
  const Result<RecordBatch> out = step.Apply(SomeOrders(), &run);
  return out.ok() ? Lines(*out) : Texts{out.status().message()};
}

TEST(MapStepTest, MakesANewRecordAndKeepsHiddenFields) {
  TestEnv env(Orders());
  const auto step = MakeMapStep({{{"total", "n + d"}, {"name", "name"}}}, env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  EXPECT_EQ(step->output_schema()->ToString(), "{name: string, total: int}");
  EXPECT_GE(step->output_schema()->Find("__eventTime"), 0);
  TestTask task;
  EXPECT_EQ(Apply(*step, &task).front(), R"({"name":"a","total":8})");
}

TEST(MapStepTest, SharesTheColumnOfAFieldThatOnlyNamesAnother) {
  TestEnv env(Orders());
  const auto step = MakeSetStep({{{"copy", " name "}}}, env.env);
  TestTask task;
  TaskRun run = task.run();
  const RecordBatch in = SomeOrders();
  const RecordBatch out = step->Apply(in, &run).value();
  EXPECT_EQ(out.Find("copy"), in.Find("name"));
  EXPECT_EQ(out.Find("n"), in.Find("n"));
}

TEST(MapStepTest, FollowsOnErrorRowByRow) {
  struct Case {
    api::ErrorPolicy policy;
    Texts want;
    int64_t bad;
    size_t dead;
  };
  const std::string first = R"({"q":3})", last = R"({"q":2})";
  for (const Case& c : {Case{api::ErrorPolicy::kSkip, {first, last}, 1, 0},
                        Case{api::ErrorPolicy::kDeadLetter, {first, last}, 1, 1},
                        Case{api::ErrorPolicy::kSetNull, {first, R"({"q":null})", last}, 0, 0}}) {
    TestEnv env(Orders());
    env.env.on_error = c.policy;
    const auto step = MakeMapStep({{{"q", "n / d"}}}, env.env);
    TestTask task;
    EXPECT_EQ(Apply(*step, &task), c.want);
    EXPECT_EQ(task.report.bad_records, c.bad);
    EXPECT_EQ(task.dead_letters.size(), c.dead);
  }
}

TEST(MapStepTest, FailNamesStepAndReason) {
  TestEnv env(Orders());
  const auto step = MakeMapStep({{{"q", "n / d"}}}, env.env);
  TestTask task;
  const Texts got = Apply(*step, &task);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_TRUE(got[0].starts_with("s.step: ")) << got[0];
}

TEST(DropStepTest, LeavesFieldsOut) {
  TestEnv env(Orders());
  const auto step = MakeDropStep({{"n", "d"}}, env.env);
  TestTask task;
  EXPECT_EQ(Apply(*step, &task), (Texts{R"({"name":"a"})", R"({"name":"b"})", R"({"name":"c"})"}));
  EXPECT_EQ(MakeDropStep({{"nam"}}, env.env), nullptr);
  EXPECT_EQ(
      env.errors(),
      "step[0]: no field \"nam\" in this record; it has: name, n, d. Did you mean \"name\"?\n");
}

TEST(FilterStepTest, KeepsTrueRowsAndPassesWholeBatchesOn) {
  TestEnv env(Orders());
  TestTask task;
  EXPECT_EQ(Apply(*MakeFilterStep({"n > 6"}, env.env), &task).size(), 2u);
  TaskRun run = task.run();
  const RecordBatch in = SomeOrders();
  const RecordBatch all = MakeFilterStep({"n > 0"}, env.env)->Apply(in, &run).value();
  EXPECT_EQ(all.column_ref(0), in.column_ref(0));
}

TEST(FilterStepTest, RefusesSetNullAndWhatIsNoCondition) {
  TestEnv env(Orders());
  env.env.path = "step.filter";
  env.env.on_error = api::ErrorPolicy::kSetNull;
  EXPECT_EQ(MakeFilterStep({"n > 6"}, env.env), nullptr);
  EXPECT_EQ(env.errors(),
            "step.onError: SetNull is for map and set; use Fail, Skip or DeadLetter\n");
  TestEnv number(Orders());
  EXPECT_EQ(MakeFilterStep({"n"}, number.env), nullptr);
  EXPECT_NE(number.errors(), "");
}

TEST(FlatMapStepTest, MakesOneRecordAnElement) {
  TestEnv env(Orders());
  const auto step = MakeFlatMapStep({"x", "n > 7 ? [] : [d, n]"}, env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  TestTask task;
  EXPECT_EQ(Apply(*step, &task),
            (Texts{R"({"name":"a","n":6,"d":2,"x":2})", R"({"name":"a","n":6,"d":2,"x":6})",
                   R"({"name":"b","n":7,"d":0,"x":0})", R"({"name":"b","n":7,"d":0,"x":7})"}));
}

TEST(FlatMapStepTest, SplitsJsonArrays) {
  const Schema schema = MakeSchema({{"value", "json"}});
  TestEnv env(schema);
  env.env.on_error = api::ErrorPolicy::kSkip;
  const auto step = MakeFlatMapStep({"item", "value"}, env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  TestTask task;
  TaskRun run = task.run();
  const RecordBatch in =
      MakeBatch(schema, {{Text(R"([1, {"a":"],"}, [2,3]])")}, {Text("[]")}, {Text("5")}});
  const RecordBatch out = step->Apply(in, &run).value();
  const Column& items = *out.Find("item");
  EXPECT_EQ(Texts(items.strings.begin(), items.strings.end()),
            (Texts{"1", R"({"a":"],"})", "[2,3]"}));
  EXPECT_EQ(task.report.bad_records, 1);
}

TEST(FlatMapStepTest, RefusesWhatIsNoList) {
  TestEnv env(Orders());
  EXPECT_EQ(MakeFlatMapStep({"x", "n"}, env.env), nullptr);
  EXPECT_EQ(
      env.errors(),
      "step.x: flatMap needs a list, one record an element; this expression is of type int\n");
}

TEST(SampleStepTest, DecidesByPositionOnly) {
  TestEnv env(Orders());
  TestTask task;
  EXPECT_EQ(Apply(*MakeSampleStep({1.0, 0}, env.env), &task).size(), 3u);
  EXPECT_EQ(Apply(*MakeSampleStep({0.0, 0}, env.env), &task).size(), 0u);
  const auto half = MakeSampleStep({0.5, 3}, env.env);
  EXPECT_EQ(half->uses().front().path, Texts{"__position"});
  EXPECT_EQ(Apply(*half, &task), Apply(*half, &task));
  TestEnv grouped(MakeSchema({{"n", "int"}}));
  EXPECT_EQ(MakeSampleStep({0.5, 0}, grouped.env), nullptr);
}

TEST(SampleStepTest, KeepsAboutTheFraction) {
  const Schema schema = MakeSchema({{"__position", "uint"}});
  std::vector<testing::Row> rows;
  for (int i = 0; i < 20'000; ++i) rows.push_back({Int(i)});
  TestEnv env(schema);
  TestTask task;
  TaskRun run = task.run();
  const RecordBatch out =
      MakeSampleStep({0.25, 1}, env.env)->Apply(MakeBatch(schema, rows), &run).value();
  EXPECT_NEAR(static_cast<double>(out.num_rows()), 5000, 300);
}

// ---- lookup
// ------------------------------------------------------------------------------------------------

class LookupStepTest : public ::testing::Test {
 protected:
  LookupStepTest() : env(Orders()) {
    const Schema schema = MakeSchema({{"id", "string"}, {"region", "string"}});
    env.env.tables = {{"customers", schema}};
    env.env.table_keys["customers"] = {"id"};
    task.tables["customers"] =
        TableVersion::Build(
            "1", MakeBatch(schema, {{Text("c"), Text("eu")}, {Text("a"), Text("us")}}), {0}, 10)
            .value();
  }
  api::LookupStep Spec(api::LookupStep::Type type) {
    return {"customers", {{"id", "name"}}, type, "who"};
  }
  TestEnv env;
  TestTask task;
};

TEST_F(LookupStepTest, AddsTheRowOrNull) {
  const auto step = MakeLookupStep(Spec(api::LookupStep::Type::kLeft), env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  EXPECT_EQ(Apply(*step, &task),
            (Texts{R"({"name":"a","n":6,"d":2,"who":{"id":"a","region":"us"}})",
                   R"({"name":"b","n":7,"d":0,"who":null})",
                   R"({"name":"c","n":8,"d":4,"who":{"id":"c","region":"eu"}})"}));
}

TEST_F(LookupStepTest, InnerLeavesOutWhatIsNotThere) {
  const auto step = MakeLookupStep(Spec(api::LookupStep::Type::kInner), env.env);
  EXPECT_EQ(Apply(*step, &task),
            (Texts{R"({"name":"a","n":6,"d":2,"who":{"id":"a","region":"us"}})",
                   R"({"name":"c","n":8,"d":4,"who":{"id":"c","region":"eu"}})"}));
}

TEST_F(LookupStepTest, ReportsEveryMistake) {
  api::LookupStep spec = Spec(api::LookupStep::Type::kLeft);
  spec.match = {{"idd", "name"}};
  spec.as = "n";
  EXPECT_EQ(MakeLookupStep(spec, env.env), nullptr);
  spec.table = "custommers";
  EXPECT_EQ(MakeLookupStep(spec, env.env), nullptr);
  EXPECT_EQ(
      env.errors(),
      "step.match.idd: \"idd\" is no key field of table \"customers\"; its key is: id. Did you "
      "mean \"id\"?\n"
      "step.match: key field \"id\" of table \"customers\" is missing\n"
      "step.as: the record already has a field \"n\"; give another name with \"as\"\n"
      "step.table: no table \"custommers\"; there is: customers. Did you mean \"customers\"?\n");
}

TEST_F(LookupStepTest, RefusesAKeyOfAnotherType) {
  api::LookupStep spec = Spec(api::LookupStep::Type::kLeft);
  spec.match = {{"id", "n"}};
  EXPECT_EQ(MakeLookupStep(spec, env.env), nullptr);
  EXPECT_TRUE(env.errors().starts_with("step.match.id: ")) << env.errors();
}

// ---- repartition
// -------------------------------------------------------------------------------------------

TEST(RepartitionStepTest, DealsRowsOutInTurn) {
  TestEnv env(Orders());
  const auto step = MakeRepartitionStep({{}, 2}, env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  EXPECT_EQ(step->units(), 2);
  testing::KeyedRunner runner(*step);
  EXPECT_EQ(runner.Run({SomeOrders()}, testing::MakeContext(0)),
            (Texts{R"({"name":"a","n":6,"d":2})", R"({"name":"c","n":8,"d":4})",
                   R"({"name":"b","n":7,"d":0})"}));
  EXPECT_EQ(MakeRepartitionStep({{}, std::nullopt}, env.env), nullptr);
  EXPECT_EQ(env.errors(), "step: repartition needs one of key, partitions\n");
}

TEST(RepartitionStepTest, KeepsRowsOfAKeyTogether) {
  TestEnv env(Orders());
  const auto step = MakeRepartitionStep({{"name"}, std::nullopt}, env.env);
  EXPECT_EQ(step->units(), 4);
  testing::KeyedRunner runner(*step);
  EXPECT_EQ(runner.Run({SomeOrders()}, testing::MakeContext(0)).size(), 3u);
}

// ---- dead letters, watermarks
// ------------------------------------------------------------------------------

TEST(DeadLettersTest, KeepTheRawRecordAndItsPlace) {
  const Schema schema =
      MakeSchema({{"n", "int"}, {"__raw", "bytes"}, {"__partition", "int"}, {"__offset", "int"}});
  DeadLetters letters;
  letters.AddRow("s.step", "Expression", "no such member",
                 MakeBatch(schema, {{Int(1), Text("{x"), Int(3), Int(99)}}), 0);
  const RecordBatch rows = letters.TakeRows(testing::At(1'000'000));
  EXPECT_EQ(rows.Find("value")->strings[0], "{x");
  EXPECT_EQ(rows.Find("offset")->ints[0], 99);
  EXPECT_TRUE(rows.Find("key")->IsNull(0));
  EXPECT_TRUE(letters.empty());
}

TEST(WatermarkRuleTest, TakesTheMinimumHeldBack) {
  BatchContext context;
  context.watermarks = {testing::At(100), testing::At(70)};
  context.previous_watermarks = {testing::At(50), TimePoint::min()};
  const WatermarkRule rule{{0, 1}, Duration(20), false};
  EXPECT_EQ(EventWatermark(rule, context), testing::At(50));
  EXPECT_EQ(PreviousEventWatermark(rule, context), TimePoint::min());
  EXPECT_EQ(LateBound({{0}, Duration(0), true}, context), testing::At(50));
  EXPECT_EQ(LateBound({{0}, Duration(0), false}, context), testing::At(100));
  context.final = true;
  EXPECT_EQ(EventWatermark(rule, context), TimePoint::max());
  EXPECT_EQ(LateBound({{0}, Duration(0), false}, context), testing::At(50));
}

}  // namespace
}  // namespace millrace::worker
