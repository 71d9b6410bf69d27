#include "worker/expr/kernel.h"

#include <gtest/gtest.h>

#include <random>

#include "worker/data/column_testing.h"
#include "worker/expr/checker.h"
#include "worker/expr/column_value.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/kernel_rows.h"
#include "worker/expr/parser.h"

namespace millrace::worker {
namespace {

constexpr const char* kFields =
    "struct<b: bool, nb: bool?, i: int, j: int, ni: int?, u: uint, d: double, nd: double?, s: "
    "string, r: string, ns: string?, "
    "y: bytes, t: timestamp, nt: timestamp?, p: duration, li: list<int>, ls: list<string?>?, m: "
    "map<string, int>, "
    "st: struct<x: int, y: string?, z: struct<w: double>?>?>";

// An expression and its results both ways over one batch.
class Comparison {
 public:
  Comparison(std::string_view text, const RecordBatch& batch) : batch_(batch) {
    std::vector<ExprError> errors;
    ast_ = ParseExpr(text, &errors);
    const ExprEnv env{batch.schema(), {}};
    if (ast_ == nullptr || !CheckExpr(ast_.get(), env, CheckMode::kStrict, nullptr, &errors)) {
      problem_ = errors.empty() ? "refused" : errors[0].message;
      return;
    }
    evaluator_ = std::make_unique<Evaluator>(*ast_);
    for (const ColumnRef& column : batch.columns()) columns_.push_back(column.get());
    EvaluatorRows constants(evaluator_.get(), {}, {});
    kernel_ = Kernel::Build(*ast_->root, &constants);
    if (kernel_ != nullptr) Run();
  }

  const std::string& problem() const { return problem_; }
  bool has_kernel() const { return kernel_ != nullptr; }
  const KernelResult& result() const { return result_; }
  // Slow rows that are no errors: decided right, but late.
  size_t needlessly_slow() const { return needlessly_slow_; }

 private:
  void Run() {
    EvaluatorRows rows(evaluator_.get(), columns_, {});
    result_ = kernel_->Run(batch_.num_rows(), batch_.columns(), &rows);
    ASSERT_EQ(result_.column->size(), batch_.num_rows());
    size_t next_slow = 0;
    for (size_t row = 0; row < batch_.num_rows(); ++row) {
      const bool slow = next_slow < result_.slow_rows.size() && result_.slow_rows[next_slow] == row;
      if (slow) ++next_slow;
      CompareRow(rows.Evaluate(*ast_->root, row), row, slow);
    }
    EXPECT_EQ(next_slow, result_.slow_rows.size());
  }

  void CompareRow(const Value& value, size_t row, bool slow) {
    if (slow) {
      needlessly_slow_ += value.is_error() ? 0 : 1;
      return;
    }
    ASSERT_FALSE(value.is_error()) << RowToJson(batch_, row) << " " << value.text();
    ColumnWriter writer(result_.column->type().AsNullable());
    const Status written = writer.Append(&evaluator_->context().arena(), value);
    ASSERT_TRUE(written.ok()) << written;
    const std::shared_ptr<Column> want = writer.Take();
    EXPECT_EQ(CompareRows(*want, 0, *result_.column, row), 0) << RowToJson(batch_, row);
  }

  const RecordBatch& batch_;
  std::unique_ptr<Ast> ast_;
  std::unique_ptr<Evaluator> evaluator_;
  std::vector<const Column*> columns_;
  std::unique_ptr<const Kernel> kernel_;
  KernelResult result_;
  std::string problem_;
  size_t needlessly_slow_ = 0;
};

// Writes random expressions of a wanted type over kFields.
class Author {
 public:
  explicit Author(uint64_t seed) : random_(seed) {}

  std::string Any() {
    static constexpr const char* kTypes[] = {"bool",   "int",       "uint",     "double",
                                             "string", "timestamp", "duration", "strings"};
    return Write(kTypes[random_() % std::size(kTypes)], 3);
  }

 private:
  std::string Write(std::string_view type, int depth) {
    const std::vector<std::string_view> forms = depth > 0 ? Forms(type) : Leaves(type);
    return Fill(forms[random_() % forms.size()], depth - 1);
  }

  // Replaces each <type> by an expression of that type.
  std::string Fill(std::string_view form, int depth) {
    std::string text;
    for (size_t begin = form.find('{'); begin != std::string_view::npos; begin = form.find('{')) {
      const size_t end = form.find('}', begin);
      text += form.substr(0, begin);
      text += "(" + Write(form.substr(begin + 1, end - begin - 1), depth) + ")";
      form.remove_prefix(end + 1);
    }
    return text.append(form);
  }

  static std::vector<std::string_view> Leaves(std::string_view type) {
    if (type == "bool")
      return {"b",          "nb",        "true",      "false",     "ns == null",
              "st != null", "has(st.y)", "has(st.z)", "nd == null"};
    if (type == "int")
      return {"i", "j", "ni", "0", "1", "-1", "7", "st.x", "li[0]", "m.a", "9223372036854775807"};
    if (type == "uint") return {"u", "0u", "3u"};
    if (type == "double") return {"d", "nd", "0.0", "1.5", "-2.25", "st.z.w", "1e300"};
    if (type == "string")
      return {"s", "r", "ns", "\"\"", "\"a\"", "\"ab\"", "\"aB b\"", "st.y", "ls[0]"};
    if (type == "timestamp") return {"t", "nt", "timestamp(\"2024-06-01T00:00:00Z\")"};
    if (type == "duration") return {"p", "duration(\"1h30m\")", "duration(\"1ns\")"};
    if (type == "strings") return {"ls", "[\"a\", \"b\"]"};
    return {"li", "[1, 2, 7]"};
  }

  static std::vector<std::string_view> Forms(std::string_view type) {
    if (type == "bool") {
      return {"{bool} && {bool}",
              "{bool} || {bool}",
              "!{bool}",
              "{bool} ? {bool} : {bool}",
              "{bool} && {bool} && {bool}",
              "{int} < {int}",
              "{int} >= {double}",
              "{uint} <= {int}",
              "{double} > {double}",
              "{double} <= {uint}",
              "{string} < {string}",
              "{string} >= {string}",
              "{int} == {int}",
              "{string} == {string}",
              "{string} != \"a\"",
              "{double} == {double}",
              "{timestamp} < {timestamp}",
              "{duration} == {duration}",
              "{bool} == {bool}",
              "{int} in {ints}",
              "{string} in {strings}",
              "{string} in [\"a\", \"ab\", \"\"]",
              "{int} in [1, 2, 3]",
              "{int} in [1, 2, 3, 4, 5, 6, 7, 8]",
              "{string}.contains({string})",
              "{string}.startsWith({string})",
              "{string}.endsWith(\"b\")",
              "{string}.matches(\"a+b\")",
              "{string}.matches(\"ab\")",
              "{string} == null",
              "{int} != null",
              "li.exists(x, x == {int})",
              "{uint} != {uint}",
              "y == b\"a\""};
    }
    if (type == "int") {
      return {"{int} + {int}",
              "{int} - {int}",
              "{int} * {int}",
              "{int} / {int}",
              "{int} % {int}",
              "-{int}",
              "{bool} ? {int} : {int}",
              "coalesce({int}, {int})",
              "coalesce(ni, {int})",
              "size({string})",
              "{strings}.size()",
              "size(m)",
              "int({double})",
              "int({string})",
              "int({timestamp})",
              "int({uint})",
              "math.abs({int})",
              "math.greatest({int}, {int}, {int})",
              "math.least({int}, {int})",
              "[1, 2, 7][{int}]",
              "li[{int}]",
              "m[{string}]",
              "li.filter(x, x > 0).size()",
              "{timestamp}.getFullYear()",
              "{timestamp}.getMonth()",
              "{timestamp}.getDayOfWeek()",
              "{timestamp}.getHours()",
              "{timestamp}.getMilliseconds()",
              "toUnixMillis({timestamp})",
              "hash({string})",
              "hash({int})",
              "{duration}.getSeconds()",
              "{duration}.getHours()",
              "{timestamp}.getDayOfYear()",
              "{timestamp}.getDate()",
              "{timestamp}.getDayOfMonth()",
              "{timestamp}.getMinutes()",
              "{duration}.getMilliseconds()"};
    }
    if (type == "uint")
      return {"{uint} + {uint}", "{uint} * {uint}", "{uint} % {uint}",
              "uint({int})",     "uint({string})",  "uint({double})"};
    if (type == "double") {
      return {"{double} + {double}",
              "{double} * {double}",
              "{double} / {double}",
              "-{double}",
              "double({int})",
              "double({string})",
              "math.floor({double})",
              "math.round({double})",
              "math.abs({double})",
              "{bool} ? {double} : {double}",
              "math.greatest({double}, {double})",
              "coalesce({double}, {double})",
              "pow({double}, {double})",
              "double({uint})"};
    }
    if (type == "string") {
      return {"{string} + {string}",
              "{string}.lowerAscii()",
              "{string}.upperAscii()",
              "{string}.trim()",
              "{string}.substring({int})",
              "{string}.substring(0, {int})",
              "{string}.replace(\"a\", {string})",
              "{string}.replace({string}, \"x\")",
              "{bool} ? {string} : {string}",
              "coalesce({string}, {string})",
              "string({int})",
              "string({double})",
              "string({timestamp})",
              "string({duration})",
              "string({bool})",
              "{strings}[{int}]",
              "{bool} ? {string} : null"};
    }
    if (type == "timestamp") {
      return {"{timestamp} + {duration}",
              "{timestamp} - {duration}",
              "timestamp({int})",
              "tumble({timestamp}, {duration})",
              "tumble({timestamp}, duration(\"10s\"))",
              "fromUnixMillis({int})",
              "{bool} ? {timestamp} : {timestamp}"};
    }
    if (type == "duration")
      return {"{timestamp} - {timestamp}", "{duration} + {duration}", "{duration} - {duration}",
              "duration({string})"};
    if (type == "strings") {
      return {"{string}.split(\"a\")",           "{string}.split(\"ab\")",
              "{string}.splitRegex(\"\\\\W+\")", "{string}.splitRegex(\"\\\\s+\")",
              "{string}.splitRegex(\"b\")",      "{bool} ? {strings} : {strings}"};
    }
    return {"{bool} ? {ints} : {ints}", "[{int}, {int}]"};
  }

  std::mt19937_64 random_;
};

RecordBatch RandomRows(uint64_t seed, size_t rows = 24) {
  std::mt19937_64 random(seed);
  return testing::RandomBatch(kFields, rows, &random);
}

TEST(KernelTest, AgreesWithTheGeneralEvaluator) {
  size_t compiled = 0;
  for (uint64_t seed = 1; seed <= 4000 && !::testing::Test::HasFailure(); ++seed) {
    const RecordBatch batch = RandomRows(seed);
    const std::string text = Author(seed).Any();
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + text);
    const Comparison comparison(text, batch);
    compiled += comparison.has_kernel() ? 1 : 0;
  }
  EXPECT_GT(compiled, 2000u);
}

TEST(KernelTest, HandlesBatchesWithoutRows) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const std::string text = Author(seed).Any();
    SCOPED_TRACE(text);
    const RecordBatch batch = RandomRows(seed, 0);
    Comparison(text, batch);
  }
}

// What jobs filter and map by runs without the general evaluator.
TEST(KernelTest, DecidesOrdinaryRowsItself) {
  const RecordBatch batch = RandomRows(7, 200);
  for (const char* text :
       {"s == \"ab\"", "ns == null", "b && s != \"\"", "s.lowerAscii()", "s.split(\" \")",
        "hash(i) % 10 == 3", "size(s) > 1", "st != null && st.x > 0",
        "ns != null && ns.contains(\"a\")", "coalesce(ns, \"x\")", "b ? i : j", "i in [0, 1, 2]",
        "s.matches(\"a.*b\")", "string(i)", "has(st.y) ? st.y : s",
        "st == null ? \"none\" : string(st.x)"}) {
    SCOPED_TRACE(text);
    const Comparison comparison(text, batch);
    EXPECT_EQ(comparison.problem(), "");
    ASSERT_TRUE(comparison.has_kernel());
    EXPECT_EQ(comparison.result().slow_rows.size(), 0u);
  }
}

TEST(KernelTest, LeavesErrorsAndNullOperandsToTheEvaluator) {
  const RecordBatch batch = testing::Batch(
      {{"n", testing::Ints({1, std::nullopt, INT64_MAX, 0})}, {"z", testing::Ints({0, 1, 1, 2})}});
  const struct {
    const char* text;
    std::vector<uint32_t> slow;
  } kCases[] = {{"n + z", {1, 2}},          {"n > 0 || z > 0", {}},
                {"n > 0 && z > 1", {}},     {"7 / z", {0}},
                {"n == null || n > 0", {}}, {"n != null && n + 1 > 0", {2}},
                {"z == 0 ? 0 : 7 / z", {}}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(Comparison(c.text, batch).result().slow_rows, c.slow);
  }
}

TEST(KernelTest, EvaluatesCostlyBranchesOnlyWhereTheyCount) {
  const RecordBatch batch = RandomRows(9, 100);
  const Comparison comparison("s == \"ab\" && ls.filter(x, x == s).size() > 0", batch);
  ASSERT_TRUE(comparison.has_kernel());
}

TEST(KernelTest, HasNoneForMacrosAtTheRoot) {
  EXPECT_FALSE(Comparison("li.map(x, x + 1)", RandomRows(1)).has_kernel());
}

}  // namespace
}  // namespace millrace::worker
