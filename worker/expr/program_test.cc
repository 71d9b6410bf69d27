#include "worker/expr/program.h"

#include <gtest/gtest.h>

#include "worker/data/column_testing.h"

namespace millrace::worker {
namespace {

using testing::Batch;
using testing::Ints;
using testing::Strings;
using testing::TypeOf;

ColumnRef Json(const std::vector<std::optional<std::string>>& texts) {
  auto column = std::make_shared<Column>(*Strings(texts));
  column->set_type(Type(Kind::kJson, column->type().nullable()));
  return column;
}

// "a, b, !message": the results of all rows as JSON, errors in their rows.
std::string Results(std::string_view text, const RecordBatch& batch,
                    const TableLists* tables = nullptr) {
  ExprEnv env{batch.schema(), {}};
  if (tables != nullptr) {
    for (const auto& [name, rows] : tables->tables) env.tables.push_back({name, rows.schema()});
  }
  std::vector<ExprError> problems;
  const Result<ProgramRef> program = Program::Compile(text, env, &problems);
  if (!program.ok()) return program.status().message();
  std::vector<BadRecord> bad;
  const ColumnRef column = (*program)->Evaluate(batch, tables, &bad);
  const RecordBatch result(std::make_shared<Schema>(Schema({{"v", column->type()}})), {column},
                           batch.num_rows());
  std::string line;
  size_t next = 0;
  for (size_t row = 0; row < batch.num_rows(); ++row) {
    const bool failed = next < bad.size() && bad[next].row == row;
    const std::string json = RowToJson(result, row);
    line += (row == 0 ? "" : ", ") +
            (failed ? "!" + bad[next++].message : json.substr(5, json.size() - 6));
  }
  return line;
}

TEST(ProgramTest, EvaluatesEveryRow) {
  const RecordBatch batch = Batch({{"word", Strings({"Foo", "bar"})}, {"count", Ints({1, 2})}});
  EXPECT_EQ(Results("word.lowerAscii() + string(count)", batch), "\"foo1\", \"bar2\"");
  EXPECT_EQ(Results("[count, count + 1]", batch), "[1,2], [2,3]");
  EXPECT_EQ(Results("{word: count}", batch), "{\"Foo\":1}, {\"bar\":2}");
}

TEST(ProgramTest, ListsRowsThatFailAndGoesOn) {
  const RecordBatch batch = Batch({{"a", Ints({6, 1, 9})}, {"b", Ints({3, 0, 2})}});
  EXPECT_EQ(Results("a / b", batch), "2, !division by zero, 4");
  EXPECT_EQ(Results("a / b + 1", batch), "3, !division by zero in \"a / b\", 5");
  EXPECT_EQ(Results("{1: 2}[b]", Batch({{"b", Ints({1, 7})}})), "2, !no such key: 7");
  EXPECT_EQ(Results("b != 0 && a / b > 2", batch), "false, false, true");
}

TEST(ProgramTest, TreatsNullAsAValueOfItsOwn) {
  const RecordBatch batch = Batch({{"x", Ints({1, std::nullopt})}});
  EXPECT_EQ(Results("x", batch), "1, null");
  EXPECT_EQ(Results("x == null", batch), "false, true");
  EXPECT_EQ(Results("coalesce(x, 0) + 1", batch), "2, 1");
  EXPECT_EQ(Results("x + 1", batch), "2, !no such overload: + (null_type, int)");
}

TEST(ProgramTest, ReadsJsonOnDemand) {
  const RecordBatch batch = Batch(
      {{"doc", Json({R"({"a": {"b": [1, 2.5]}, "s": "\u00e9\ud83d\ude00"})", R"({"a": 1})"})}});
  EXPECT_EQ(Results("double(doc.a.b[1])", batch),
            "2.5, !no such key: \"b\" in a value of type int in \"doc.a.b\"");
  EXPECT_EQ(Results("doc.?s.orValue('none')", batch), "\"\u00e9\U0001F600\", \"none\"");
  EXPECT_EQ(Results("doc.a", batch), "{\"b\": [1, 2.5]}, 1");
  EXPECT_EQ(Results("has(doc.s)", batch), "true, false");
}

TEST(ProgramTest, ReadsTablesAsLists) {
  const TableLists tables{
      {{"rules", Batch({{"country", Strings({"de", "fr"})}, {"most", Ints({5, 9})}})}}};
  const RecordBatch batch = Batch({{"country", Strings({"fr", "xx"})}});
  EXPECT_EQ(Results("tables.rules.filter(r, r.country == country)", batch, &tables),
            "[{\"country\":\"fr\",\"most\":9}], []");
  EXPECT_EQ(Results("tables.rules.exists(r, r.most > 8)", batch, &tables), "true, true");
}

TEST(ProgramTest, SelectsTrueRowsOnly) {
  const RecordBatch batch = Batch({{"x", Ints({5, std::nullopt, 0, 9})}});
  std::vector<ExprError> problems;
  const auto program =
      Program::Compile("x == null ? null : 10 / x > 1", {batch.schema(), {}}, &problems);
  ASSERT_TRUE(program.ok()) << program.status();
  std::vector<uint32_t> rows;
  std::vector<BadRecord> bad;
  (*program)->Select(batch, nullptr, &rows, &bad);
  EXPECT_EQ(rows, (std::vector<uint32_t>{0}));
  ASSERT_EQ(bad.size(), 1u);
  EXPECT_EQ(bad[0].row, 2u);
}

TEST(ProgramTest, ChecksTheExpectedType) {
  const struct {
    std::string_view text, type, want;
  } cases[] = {
      {"[]", "list<timestamp>", ""},
      {"null", "string?", ""},
      {"n", "json", ""},
      {"n", "int?", ""},
      {"n", "double", "expected double, found int; convert it with double()"},
      {"null", "int", "expected int, found null"},
      {"m", "int", "expected int, found int?; it may be null: use coalesce(x, y)"},
      {"parseJson('1')", "int", "expected int, found json; wrap it in int(), double() or string()"},
      {"type(n)", "json", "a result of type type cannot be stored in a field"},
  };
  const ExprEnv env{Schema({{"n", Type(Kind::kInt)}, {"m", Type(Kind::kInt, true)}}), {}};
  for (const auto& [text, type, want] : cases) {
    const Type expected = TypeOf(type);
    std::vector<ExprError> problems;
    const auto program = Program::Compile(text, env, &problems, &expected);
    EXPECT_EQ(problems.empty() ? "" : problems[0].message, want) << text;
    if (program.ok()) {
      EXPECT_EQ((*program)->type().ToString(), type) << text;
    }
  }
}

TEST(SplitAggregatesTest, CutsCallsOutOfTheText) {
  std::vector<ExprError> problems;
  constexpr std::string_view kNames[] = {"sum", "count"};
  const auto split =
      SplitAggregates("sum(price * 2) / double(countIf(ok)) + sum(price * 2)", kNames, &problems);
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->outer, "__agg0         / double(__agg1     ) + __agg0");
  ASSERT_EQ(split->calls.size(), 2u);
  EXPECT_EQ(split->calls[0].name, "sum");
  EXPECT_EQ(split->calls[0].arguments, std::vector<std::string>{"price * 2"});
  EXPECT_EQ(split->calls[0].argument_offsets, std::vector<int>{4});
  EXPECT_TRUE(split->calls[1].has_filter);
  EXPECT_EQ(split->calls[1].filter, "ok");
}

TEST(SplitAggregatesTest, LeavesMethodsAlone) {
  std::vector<ExprError> problems;
  constexpr std::string_view kNames[] = {"last", "count"};
  const auto split = SplitAggregates("xs.last() == count()", kNames, &problems);
  ASSERT_TRUE(split.ok());
  EXPECT_EQ(split->outer, "xs.last() == __agg0");
}

TEST(SplitAggregatesTest, RefusesNestedAggregates) {
  std::vector<ExprError> problems;
  constexpr std::string_view kNames[] = {"sum", "count"};
  EXPECT_FALSE(SplitAggregates("sum(count())", kNames, &problems).ok());
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].offset, 4);
}

}  // namespace
}  // namespace millrace::worker
