#include "worker/expr/parser.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

// "offset: message" of the first syntax error, or "ok".
std::string Outcome(std::string_view text) {
  std::vector<ExprError> errors;
  if (ParseExpr(text, &errors) != nullptr) return "ok";
  return std::to_string(errors[0].offset) + ": " + errors[0].message;
}

std::unique_ptr<Ast> Parse(std::string_view text) {
  std::vector<ExprError> errors;
  std::unique_ptr<Ast> ast = ParseExpr(text, &errors);
  EXPECT_NE(ast, nullptr) << errors[0].message;
  return ast;
}

std::string Repeat(std::string_view text, size_t count) {
  std::string result;
  for (size_t i = 0; i < count; ++i) result += text;
  return result;
}

TEST(ParserTest, NamesThePlaceOfASyntaxError) {
  const struct {
    std::string_view text, want;
  } cases[] = {
      {"", "0: the expression is empty"},
      {"a +", "3: the expression ends where a value is expected"},
      {"a b", "2: found \"b\" where an operator or the end is expected"},
      {"f(a,)", "4: found \")\" where an argument is expected"},
      {"a = 1", "2: \"=\" is not an operator; did you mean \"==\"?"},
      {"a & b", "2: \"&\" is not an operator; did you mean \"&&\"?"},
      {"'abc", "0: the string is not closed"},
      {"'a\\qb'", "2: unknown escape; write \\\\ for a backslash, or put r in front of the string"},
      {"x + \xC3\xA9", "4: unexpected character \"\xC3\xA9\""},
      {"1 + 99999999999999999999", "4: the number does not fit 64 bits"},
      {"9223372036854775808", "0: the number does not fit an int; a uint ends in u"},
      {"1.5x", "3: a number is followed by \"x\""},
      {"for", "0: \"for\" is a reserved word"},
      {"Point{x: 1}", "5: message construction is not supported; write a map: {\"name\": value}"},
      {"has(a)", "0: has() takes one field selection, as in has(a.b)"},
      {"xs.all(a.b, true)", "7: the variable of all() must be a simple name"},
      {"xs.all(i, i, true)", "10: the variables of all() must have different names"},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(Outcome(text), want) << text;
}

TEST(ParserTest, RefusesTextsThatNestTooDeep) {
  EXPECT_EQ(Outcome(Repeat("(", 200) + "1" + Repeat(")", 200)), "ok");
  EXPECT_EQ(Outcome(Repeat("(", 5000) + "1" + Repeat(")", 5000)),
            "250: nested more than 250 levels deep");
  EXPECT_EQ(Outcome(Repeat("[", 5000)), "250: nested more than 250 levels deep");
}

TEST(ParserTest, RefusesChainsThatGrowTooHigh) {
  EXPECT_EQ(Outcome("1" + Repeat("+1", 900)), "ok");
  EXPECT_NE(Outcome("1" + Repeat("+1", 40'000)).find("more than 1,000 operators in a row"),
            std::string::npos);
  EXPECT_NE(Outcome("a" + Repeat(".b", 40'000)).find("more than 1,000 operators in a row"),
            std::string::npos);
  EXPECT_NE(Outcome(Repeat("!", 40'000) + "a").find("more than 1,000 operators in a row"),
            std::string::npos);
}

TEST(ParserTest, TakesLongChainsOfAndAndOr) {
  EXPECT_EQ(Outcome("true" + Repeat("&&true", 10'000)), "ok");
}

TEST(ParserTest, RefusesMoreThanAHundredKilobytes) {
  EXPECT_EQ(Outcome("'" + std::string(kMaxExprBytes - 2, 'x') + "'"), "ok");
  EXPECT_EQ(Outcome("'" + std::string(kMaxExprBytes, 'x') + "'"),
            "0: the expression is longer than 100 kB");
}

TEST(ParserTest, RefusesInvalidUtf8AndControlBytesOutsideStrings) {
  EXPECT_EQ(Outcome("'\xff'"), "0: the expression is not valid UTF-8");
  EXPECT_EQ(Outcome(std::string_view("1 \0", 3)), "2: unexpected character \"\\u0000\"");
  EXPECT_EQ(Outcome(std::string_view("'a\0b'", 5)), "ok");
}

TEST(ParserTest, KeepsTheExtentOfEveryNode) {
  const auto ast = Parse("  a + f( b ) * (c)");
  const auto text = [&](const Expr& node) {
    return ast->text.substr(static_cast<size_t>(node.begin),
                            static_cast<size_t>(node.end - node.begin));
  };
  EXPECT_EQ(text(*ast->root), "a + f( b ) * (c)");
  EXPECT_EQ(text(*ast->root->args[1]), "f( b ) * (c)");
  EXPECT_EQ(text(*ast->root->args[1]->args[0]), "f( b )");
  EXPECT_EQ(text(*ast->root->args[1]->args[1]), "(c)");
}

TEST(ParserTest, BindsTighterOperatorsFirst) {
  const auto ast = Parse("a || b && c == d + e * -f");
  EXPECT_EQ(ast->root->op, Op::kOr);
  EXPECT_EQ(ast->root->args[1]->op, Op::kAnd);
  EXPECT_EQ(ast->root->args[1]->args[1]->op, Op::kEqual);
  EXPECT_EQ(ast->root->args[1]->args[1]->args[1]->op, Op::kAdd);
}

TEST(ParserTest, KeepsMacrosAsNodes) {
  const auto ast = Parse("xs.filter(x, x > 1)");
  EXPECT_EQ(ast->root->kind, ExprKind::kMacro);
  EXPECT_EQ(ast->root->macro, Macro::kFilter);
  EXPECT_EQ(ast->root->var1, "x");
  EXPECT_EQ(ast->root->args.size(), 2u);
}

}  // namespace
}  // namespace millrace::worker
