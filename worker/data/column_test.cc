#include "worker/data/column.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "worker/data/column_testing.h"

namespace millrace::worker {
namespace {

using testing::Ints;
using testing::RandomColumn;
using testing::Strings;
using testing::TypeOf;

TEST(ColumnTest, GathersTheSameRowsAsOneByOne) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const ColumnRef column = RandomColumn(TypeOf(testing::kEveryType), 1 + random() % 30, &random);
    std::vector<uint32_t> rows(random() % 50);
    for (uint32_t& row : rows) row = static_cast<uint32_t>(random() % column->size());
    const ColumnRef gathered = Gather(*column, rows);
    Column one_by_one(column->type());
    for (const uint32_t row : rows) one_by_one.AppendFrom(*column, row);
    ASSERT_EQ(gathered->size(), rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(CompareRows(*gathered, i, *column, rows[i]), 0) << i;
      EXPECT_EQ(CompareRows(one_by_one, i, *column, rows[i]), 0) << i;
    }
  }
}

TEST(ColumnTest, AppendsColumnsWithAndWithoutNulls) {
  Column column(Type(Kind::kInt, true));
  column.AppendAll(*Ints({1, 2}));
  EXPECT_FALSE(column.has_nulls());
  column.AppendAll(*Ints({std::nullopt, 4}));
  column.AppendAll(*Ints({5}));
  EXPECT_EQ(column.valid, (std::vector<uint8_t>{1, 1, 0, 1, 1}));
  EXPECT_EQ(column.ints, (std::vector<int64_t>{1, 2, 0, 4, 5}));
}

TEST(ColumnTest, ForgetsNullsWhenNoneIsGathered) {
  const std::vector<uint32_t> rows{0, 2};
  EXPECT_FALSE(Gather(*Ints({1, std::nullopt, 3}), rows)->has_nulls());
}

TEST(ColumnTest, KeepsRequiredMembersOfNullStructsWithoutNulls) {
  Column column(TypeOf("struct<a: int, b: string?>?"));
  column.AppendNull();
  EXPECT_EQ(column.children[0]->size(), 1u);
  EXPECT_FALSE(column.children[0]->has_nulls());
  EXPECT_TRUE(column.children[1]->IsNull(0));
}

TEST(ColumnTest, SharesEachOwnerOnce) {
  const ColumnRef words = Strings({"a", "b", "c"});
  Column column(words->type());
  for (size_t row = 0; row < 3; ++row) column.AppendFrom(*words, row);
  EXPECT_EQ(column.owners.size(), 1u);
}

TEST(ColumnTest, DeepCopyOutlivesItsSource) {
  ColumnRef words = Strings({"spark", std::nullopt});
  const ColumnRef copy = DeepCopy(*words);
  const std::weak_ptr<const void> source = words->owners[0];
  words.reset();
  EXPECT_TRUE(source.expired());
  EXPECT_EQ(copy->strings[0], "spark");
  EXPECT_TRUE(copy->IsNull(1));
}

TEST(ColumnTest, OrdersNullsFirstAndNanLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Column column(Type(Kind::kDouble, true));
  column.AppendNull();
  for (const double value : {-std::numeric_limits<double>::infinity(), -1.0, 0.0, 2.0, nan})
    column.AppendDouble(value);
  for (size_t a = 0; a < column.size(); ++a) {
    for (size_t b = 0; b < column.size(); ++b) {
      EXPECT_EQ(CompareRows(column, a, column, b), a < b ? -1 : (a > b ? 1 : 0)) << a << " " << b;
    }
  }
}

TEST(ColumnTest, OrdersListsByElementThenLength) {
  Column column(TypeOf("list<int>"));
  for (const std::vector<int64_t>& list : {std::vector<int64_t>{}, {1}, {1, 2}, {2}}) {
    for (const int64_t value : list) column.children[0]->AppendInt(value);
    column.FinishList();
  }
  for (size_t row = 1; row < column.size(); ++row)
    EXPECT_EQ(CompareRows(column, row - 1, column, row), -1) << row;
}

TEST(ColumnTest, RepeatsARow) {
  const ColumnRef column = RepeatRow(*Strings({"a", "b"}), 1, 3);
  EXPECT_EQ(column->strings, (std::vector<std::string_view>{"b", "b", "b"}));
}

}  // namespace
}  // namespace millrace::worker
