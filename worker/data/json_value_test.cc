#include "worker/data/json_value.h"

#include <gtest/gtest.h>

#include <limits>

#include "worker/data/column_testing.h"

namespace millrace::worker {
namespace {

using testing::Batch;
using testing::Ints;
using testing::Strings;
using testing::TypeOf;

std::string Json(const Column& column, bool omit_null = false) {
  std::string out;
  AppendJsonValue(column, 0, {}, omit_null, &out);
  return out;
}

TEST(JsonValueTest, WritesDurationsAsSeconds) {
  const std::pair<int64_t, const char*> kCases[] = {{0, "\"0s\""},
                                                    {1'500'000, "\"1.5s\""},
                                                    {-90'000'000, "\"-90s\""},
                                                    {1, "\"0.000001s\""},
                                                    {INT64_MIN, "\"-9223372036854.775808s\""}};
  for (const auto& [micros, want] : kCases) EXPECT_EQ(Json(*Ints({micros}, Kind::kDuration)), want);
}

TEST(JsonValueTest, WritesBytesAsBase64) {
  auto column = std::make_shared<Column>(Type(Kind::kBytes));
  column->AppendView("\x01\xff");
  EXPECT_EQ(Json(*column), "\"Af8=\"");
}

TEST(JsonValueTest, WritesNestedValues) {
  Column column(TypeOf("struct<a: list<int?>, b: map<string, bool>, c: string?>"));
  column.children[0]->children[0]->AppendInt(1);
  column.children[0]->children[0]->AppendNull();
  column.children[0]->FinishList();
  column.children[1]->children[0]->AppendView("k\"");
  column.children[1]->children[1]->AppendBool(true);
  column.children[1]->FinishList();
  column.children[2]->AppendNull();
  column.FinishStruct();
  EXPECT_EQ(Json(column), R"({"a":[1,null],"b":{"k\"":true},"c":null})");
  EXPECT_EQ(Json(column, true), R"({"a":[1,null],"b":{"k\"":true}})");
}

TEST(JsonValueTest, ReportsNumbersThatJsonLacks) {
  std::string out;
  const ColumnRef column = testing::Doubles({1.5, std::numeric_limits<double>::infinity()});
  EXPECT_TRUE(AppendJsonValue(*column, 0, {}, false, &out));
  EXPECT_FALSE(AppendJsonValue(*column, 1, {}, false, &out));
  EXPECT_EQ(out, "1.5null");
}

TEST(JsonValueTest, RowToJsonLeavesHiddenFieldsOut) {
  const RecordBatch batch =
      Batch({{"word", Strings({"a"})}, {"__line", Ints({3})}, {"n", Ints({7})}});
  EXPECT_EQ(RowToJson(batch, 0), R"({"word":"a","n":7})");
}

}  // namespace
}  // namespace millrace::worker
