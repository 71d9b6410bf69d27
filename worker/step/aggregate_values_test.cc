#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/step/aggregate_harness.h"

// What each aggregate makes of a group.
namespace millrace::worker {
namespace {

struct ValueCase {
  std::string expression;
  std::string want;  // as JSON
};

// The value over one group; records arrive in this order.
std::string ValueOf(const std::string& expression, const std::vector<TestRecord>& records) {
  api::AggregateStep spec;
  spec.key = {"user"};
  spec.window = api::BatchWindow{};
  spec.values = {{"v", expression}};
  api::Diagnostics diagnostics;
  const auto step = MakeAggregateStep(spec, TestEnv(&diagnostics, 1));
  if (step == nullptr) return diagnostics.at(0).message;
  // Two units: partial results are merged.
  StepHarness stream(step.get(), Handover::kKeep, 2);
  const auto half = records.begin() + static_cast<std::ptrdiff_t>(records.size() / 2);
  const auto rows = stream.Run({{records.begin(), half}, {half, records.end()}}, 0);
  if (!stream.status().ok()) return stream.status().message();
  const size_t begin = rows.at(0).find("\"v\":") + 4;
  return rows[0].substr(begin, rows[0].size() - begin - 1);
}

class ValueTest : public testing::TestWithParam<ValueCase> {};

TEST_P(ValueTest, OfAGroup) {
  const std::vector<TestRecord> records = {
      {"a", 12, 3, "p"}, {"a", 14, std::nullopt, "r"}, {"a", 13, 5, "p"}, {"a", 11, 3, "q"}};
  EXPECT_EQ(ValueOf(GetParam().expression, records), GetParam().want);
}

const ValueCase kCases[] = {
    {"count()", "4"},
    {"countIf(item == \"p\")", "2"},
    {"sum(amount)", "11"},  // nulls are ignored
    {"sumIf(amount, item == \"p\")", "8"},
    {"sum(duration(\"1.5s\"))", "\"6s\""},
    {"sum(price)", "2.75"},
    {"avgIf(amount, item == \"p\")", "4"},
    {"variance(double(amount == null ? 0 : amount))", "3.1875"},  // of the population
    {"varianceIf(amount, item == \"p\")", "1"},
    {"stddevIf(amount, item == \"p\")", "1"},
    {"min(amount)", "3"},
    {"maxIf(amount, item != \"p\")", "3"},
    {"max(item)", "\"r\""},
    {"first(item)", "\"q\""},  // by event time
    {"last(item)", "\"r\""},
    {"last(amount)", "5"},  // the last that is not null
    {"firstIf(item, item != \"q\")", "\"p\""},
    {"lastIf(item, item != \"r\")", "\"p\""},
    {"argMin(item, amount)", "\"q\""},  // the first of those that tie
    {"argMax(item, amount)", "\"p\""},
    {"argMinIf(item, amount, item == \"p\")", "\"p\""},
    {"argMaxIf(item, amount, item == \"q\")", "\"q\""},
    {"countDistinct(item)", "3"},
    {"countDistinct(amount)", "2"},
    {"countDistinctIf(item, amount != null)", "2"},
    {"approxCountDistinct(item)", "3"},
    {"approxCountDistinctIf(item, item == \"p\")", "1"},
    {"collect(amount)", "[3,3,5]"},
    {"collectIf(amount, item == \"p\")", "[3,5]"},
    {"collectSet(item)", "[\"p\",\"q\",\"r\"]"},
    {"collectSetIf(item, amount != null)", "[\"p\",\"q\"]"},
    {"counts(item)", "{\"p\":2,\"q\":1,\"r\":1}"},
    {"countsIf(item, item == \"r\")", "{\"r\":1}"},
    {"topK(item, 1)", "[{\"value\":\"p\",\"count\":2}]"},
    {"topKIf(item, 1, item != \"p\")", "[{\"value\":\"q\",\"count\":1}]"},
    {"int(math.round(quantile(amount, 1.0)))", "5"},  // to one percent
    {"int(math.round(quantileIf(price, 0.0, amount != null) * 100.0))", "75"},
    {"sum(price) / double(count())", "0.6875"},
};
INSTANTIATE_TEST_SUITE_P(Aggregates, ValueTest, testing::ValuesIn(kCases), [](const auto& value) {
  std::string name;
  for (const char c : value.param.expression) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  }
  return std::to_string(value.index) + name;
});

class NullsTest : public testing::TestWithParam<ValueCase> {};

TEST_P(NullsTest, OnlyNullsAreAsNothing) {
  EXPECT_EQ(ValueOf(GetParam().expression, {{"a", 1, std::nullopt}, {"a", 2, std::nullopt}}),
            GetParam().want);
}

const ValueCase kNulls[] = {
    {"count()", "2"},
    {"countIf(amount != null)", "0"},
    {"sum(amount)", "null"},
    {"avg(amount)", "null"},
    {"variance(amount)", "null"},
    {"min(amount)", "null"},
    {"first(amount)", "null"},
    {"argMax(item, amount)", "null"},
    {"argMax(amount, item)", "null"},
    {"countDistinct(amount)", "0"},
    {"approxCountDistinct(amount)", "0"},
    {"quantile(amount, 0.5)", "null"},
    {"collect(amount)", "[]"},
    {"collectSet(amount)", "[]"},
    {"countsIf(item, amount != null)", "{}"},
    {"topK(amount, 2)", "[]"},
};
INSTANTIATE_TEST_SUITE_P(Aggregates, NullsTest, testing::ValuesIn(kNulls), [](const auto& value) {
  const std::string& text = value.param.expression;
  return std::to_string(value.index) + text.substr(0, text.find('('));
});

TEST(AggregateKeyTest, NullIsAKeyLikeAnother) {
  api::AggregateStep spec;
  spec.key = {"amount"};
  spec.window = api::BatchWindow{};
  spec.values = {{"n", "count()"}};
  api::Diagnostics diagnostics;
  const auto step = MakeAggregateStep(spec, TestEnv(&diagnostics, 1));
  ASSERT_NE(step, nullptr);
  StepHarness stream(step.get(), Handover::kKeep);
  EXPECT_THAT(stream.Run({{{"a", 0, std::nullopt}, {"b", 0, 7}, {"c", 0, std::nullopt}}}, 0),
              testing::ElementsAre(R"({"amount":null,"n":2})", R"({"amount":7,"n":1})"));
}

TEST(AggregateEventTimeTest, RowsAreOneMillisecondBeforeTheirWindowsEnd) {
  api::AggregateStep spec;
  spec.key = {"user"};
  spec.values = {{"n", "count()"}};
  for (const api::Window& window :
       {api::Window(api::TumblingWindow{std::chrono::seconds(10)}),
        api::Window(api::SlidingWindow{std::chrono::seconds(10), std::chrono::seconds(10)})}) {
    spec.window = window;
    api::Diagnostics diagnostics;
    const auto step = MakeAggregateStep(spec, TestEnv(&diagnostics, 1));
    ASSERT_NE(step, nullptr);
    StepHarness stream(step.get(), Handover::kKeep);
    (void)stream.Run({{{"a", 3}}}, 0);
    const RecordBatch rows = *DecodeBatch((stream.Run({}, 10), stream.bytes()));
    EXPECT_EQ(rows.Find(kEventTimeField)->ints.at(0), 10 * kSecond - 1000);
    EXPECT_TRUE(step->output_has_event_time());
  }
}

}  // namespace
}  // namespace millrace::worker
