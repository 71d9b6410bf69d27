#include "worker/window/accumulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "worker/data/record_batch.h"
#include "worker/window/aggregate_set.h"
#include "worker/window/hyperloglog.h"
#include "worker/window/quantile_sketch.h"
#include "worker/window/slice_grid.h"

namespace millrace::worker {
namespace {

AggregateFunction Resolve(std::string_view name, Type type,
                          std::vector<std::string> literals = {}) {
  auto function = ResolveAggregate(name, {}, {&type, 1}, literals);
  EXPECT_TRUE(function.ok()) << function.status();
  return *function;
}

ColumnRef Doubles(const std::vector<double>& values) {
  auto column = std::make_shared<Column>(Type(Kind::kDouble));
  for (const double value : values) column->AppendDouble(value);
  return column;
}

std::vector<double> RandomDoubles(size_t count) {
  std::mt19937_64 random(42);
  std::lognormal_distribution<double> values(3, 2);
  std::vector<double> result(count);
  for (double& value : result) value = values(random);
  return result;
}

// All values in row 0 of a fresh set.
AggregateSet Fold(const AggregateLayout& layout, const std::vector<double>& values) {
  AggregateSet set(&layout);
  set.Resize(1);
  const std::vector<uint32_t> rows(values.size(), 0);
  const std::vector<ColumnRef> arguments{Doubles(values)};
  EXPECT_TRUE(set.Update(0, {.rows = rows, .arguments = arguments, .records = {}}).ok());
  return set;
}

double ResultOf(const AggregateSet& set) {
  const uint32_t row = 0;
  return set.Results({&row, 1})[0]->doubles[0];
}

TEST(AccumulatorTest, VarianceIsThatOfTwoPassesHoweverItIsSplit) {
  AggregateLayout layout;
  layout.Add(Resolve("variance", Type(Kind::kDouble)), "variance(x)");
  const std::vector<double> values = RandomDoubles(1000);
  double mean = 0, want = 0;
  for (const double value : values) mean += value / 1000;
  for (const double value : values) want += (value - mean) * (value - mean) / 1000;
  EXPECT_NEAR(ResultOf(Fold(layout, values)) / want, 1, 1e-9);
  AggregateSet left = Fold(layout, {values.begin(), values.begin() + 300});
  const AggregateSet right = Fold(layout, {values.begin() + 300, values.end()});
  const uint32_t row = 0;
  ASSERT_TRUE(left.Merge({&row, 1}, right.Partials({&row, 1})).ok());
  EXPECT_NEAR(ResultOf(left) / want, 1, 1e-9);
  ASSERT_TRUE(left.Subtract({&row, 1}, right.Partials({&row, 1})).ok());
  EXPECT_NEAR(ResultOf(left) / ResultOf(Fold(layout, {values.begin(), values.begin() + 300})), 1,
              1e-6);
}

TEST(AccumulatorTest, QuantilesAreWithinOnePercent) {
  const std::vector<double> values = RandomDoubles(20'000);
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  for (const std::string q : {"0", "0.01", "0.5", "0.9", "0.99", "1"}) {
    AggregateLayout layout;
    layout.Add(Resolve("quantile", Type(Kind::kDouble), {q}), "quantile(x, " + q + ")");
    const double want = sorted[static_cast<size_t>(std::stod(q) * 19'999)];
    EXPECT_NEAR(ResultOf(Fold(layout, values)) / want, 1, QuantileSketch::kAccuracy) << q;
  }
}

TEST(AccumulatorTest, QuantileSketchSurvivesItsBytesAndRefusesDamage) {
  QuantileSketch sketch, copy;
  for (const double value : {-5.0, 0.0, 1e-9, 7.0, 1e9}) sketch.Add(value);
  std::string bytes, again;
  sketch.Encode(&bytes);
  ASSERT_TRUE(copy.MergeEncoded(bytes).ok());
  copy.Encode(&again);
  EXPECT_EQ(again, bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(QuantileSketch().MergeEncoded(std::string_view(bytes).substr(0, size)).ok());
  }
}

TEST(AccumulatorTest, DistinctCountIsWithinThreeStandardErrors) {
  for (const int64_t count : {0, 1, 10, 1000, 20'000, 300'000}) {
    HyperLogLog whole, odd, even;
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t hash = HashKey({reinterpret_cast<const char*>(&i), sizeof(i)});
      whole.Add(hash);
      (i % 2 == 0 ? even : odd).Add(hash);
    }
    EXPECT_NEAR(whole.Estimate(), count, 0.025 * static_cast<double>(count)) << count;
    std::string bytes;
    odd.Encode(&bytes);
    ASSERT_TRUE(even.MergeEncoded(bytes).ok());
    EXPECT_EQ(even.Estimate(), whole.Estimate());
  }
}

TEST(AccumulatorTest, TypesAndLiteralsAreCheckedWithWhatWasExpected) {
  const struct {
    std::string name;
    Type type;
    std::vector<std::string> literals;
    std::string want;
  } cases[] = {
      {"sum", Type(Kind::kString), {}, "sum() takes int, uint, double or duration, found string"},
      {"avg",
       Type(Kind::kJson),
       {},
       "avg() does not take json: wrap it in int(), double() or string()"},
      {"quantile",
       Type(Kind::kInt),
       {"x"},
       "quantile() takes a literal from 0.0 to 1.0 second, found \"x\""},
      {"topK",
       Type(Kind::kInt),
       {"0"},
       "topK() takes a literal from 1 to 10000 second, found \"0\""},
      {"counts", Type(Kind::kInt), {}, "counts() takes a string: wrap it in string(), found int"},
      {"reduce", Type(Kind::kInt), {"\"a + b\""}, "reduce() is not supported yet"},
      {"sum", Type(Kind::kInt), {"1"}, "sum() takes 1 argument(s), found 2"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ResolveAggregate(c.name, {}, {&c.type, 1}, c.literals).status().message(), c.want);
  }
}

TEST(AccumulatorTest, ResultsAreNullableWhereAGroupCanBeEmpty) {
  const Type type(Kind::kInt);
  EXPECT_FALSE(ResolveAggregate("sum", {}, {&type, 1}, {})->result.nullable());
  EXPECT_TRUE(ResolveAggregate("sum", {.keyless = true}, {&type, 1}, {})->result.nullable());
  EXPECT_TRUE(ResolveAggregate("min", {.has_filter = true}, {&type, 1}, {})->result.nullable());
  EXPECT_FALSE(
      ResolveAggregate("countDistinct", {.keyless = true}, {&type, 1}, {})->result.nullable());
}

TEST(SliceGridTest, SlicesAndWindowsOfATime) {
  const SliceGrid grid(Duration(10), Duration(4));
  EXPECT_EQ(grid.width(), 2);
  const struct {
    int64_t time, slice, first, last_end;
  } cases[] = {{0, 0, -8, 10}, {3, 2, -4, 10}, {11, 10, 4, 18}, {-1, -2, -8, 6}};
  for (const auto& c : cases) {
    EXPECT_EQ(grid.SliceOf(c.time), c.slice) << c.time;
    EXPECT_EQ(grid.FirstWindowOf(c.time), c.first) << c.time;
    EXPECT_EQ(grid.LastEndOf(c.time), c.last_end) << c.time;
  }
}

}  // namespace
}  // namespace millrace::worker
