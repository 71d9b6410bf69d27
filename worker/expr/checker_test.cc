#include "worker/expr/checker.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "worker/expr/field_use.h"
#include "worker/expr/parser.h"
#include "worker/expr/type_solver.h"

namespace millrace::worker {
namespace {

ExprEnv Env(std::string_view fields) {
  const Result<Type> type = ParseType("struct<" + std::string(fields) + ">");
  EXPECT_TRUE(type.ok()) << type.status();
  return {Schema(type->fields()), {}};
}

const ExprEnv& Orders() {
  static const ExprEnv env = [] {
    ExprEnv made =
        Env("word: string, count: int, price: double, note: string?, at: timestamp, doc: json, "
            "tags: list<string>, "
            "bid: struct<price: int, user: string?>?");
    made.tables.push_back({"rules", Env("id: string, most: int").fields});
    return made;
  }();
  return env;
}

// The type, or all errors as "offset: message" lines.
std::string Outcome(std::string_view text) {
  std::vector<ExprError> errors;
  const auto ast = ParseExpr(text, &errors);
  if (ast != nullptr && CheckExpr(ast.get(), Orders(), CheckMode::kStrict, nullptr, &errors)) {
    return TypeText(ast->root->type);
  }
  std::string lines;
  for (const ExprError& error : errors)
    lines += std::to_string(error.offset) + ": " + error.message + "\n";
  return lines;
}

TEST(CheckerTest, InfersTypes) {
  const struct {
    std::string_view text, want;
  } cases[] = {
      {"count + 1", "int"},
      {"count > 1.5", "bool"},
      {"word.lowerAscii().splitRegex(\"\\\\W+\")", "list<string>"},
      {"note", "string?"},
      {"coalesce(note, word)", "string"},
      {"coalesce(note, null)", "string?"},
      {"note == null ? null : word", "string?"},
      {"bid.price", "int"},
      {"bid.user", "string?"},
      {"bid.?user", "optional<string>"},
      {"bid.?user.orValue('')", "string"},
      {"doc.a.b[0]", "json"},
      {"int(doc.a) + 1", "int"},
      {"[1, 'a']", "list<json>"},
      {"[1, null]", "list<int?>"},
      {"[]", "list<json>"},
      {"[] + [1]", "list<int>"},
      {"{'a': 1}", "map<string,int>"},
      {"tags.map(t, t.size())", "list<int>"},
      {"tags.transformMapEntry(i, t, {t: i})", "map<string,int>"},
      {"tables.rules.filter(r, r.most > count)", "list<struct<id: string, most: int>>"},
      {"tables.rules.map(r, r.id)[0]", "string"},
      {"at - at", "duration"},
      {"math.greatest(1, 2.5)", "json"},
      {"[3, 1].sortBy(x, -x)", "list<int>"},
      {"[3, 1].sortBy(x, ['a'].filter(y, [true].all(z, z)).size() - x)", "list<int>"},
      {"parseJson(word, 'struct<a: int, b: json>').b", "json"},
      {"cel.bind(x, count, x * x)", "int"},
      {"type(count) == int", "bool"},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(Outcome(text), want) << text;
}

TEST(CheckerTest, SaysWhatWasFoundAndExpected) {
  const struct {
    std::string_view text, want;
  } cases[] = {
      {"wrod != ''",
       "0: no field \"wrod\" in this record; it has: word, count, price, note, at, doc, tags, bid. "
       "Did you mean \"word\"?\n"},
      {"bid.prise", "4: no field \"prise\" in bid; it has: price, user. Did you mean \"price\"?\n"},
      {"tables.rulez", "7: no table \"rulez\"; there are: rules. Did you mean \"rules\"?\n"},
      {"count + 1.5",
       "6: no overload of \"+\" for (int, double); convert one side with double()\n"},
      {"word + 1", "5: no overload of \"+\" for (string, int); convert with string()\n"},
      {"word.lowerAsci()", "5: no function lowerAsci(). Did you mean \"lowerAscii\"?\n"},
      {"lowerAscii(word)", "0: lowerAscii() is called on a value: x.lowerAscii()\n"},
      {"word.hash()", "5: hash() takes its value in the parentheses: hash(x)\n"},
      {"now()", "0: there is no now(): use __batchTime, which replays alike\n"},
      {"predict('m', [1.0])", "0: predict() is not supported yet\n"},
      {"count ? 1 : 2", "0: the condition of \"?\" must be bool; this is int\n"},
      {"true ? 1 : 'a'", "5: the branches of \"? :\" have different types: int and string\n"},
      {"tags['a']", "5: the index of a list must be int; this is string\n"},
      {"word.matches('(')", "13: invalid regular expression: missing ): (\n"},
      {"count.all(x, true)", "0: all() runs over a list or a map; this is int\n"},
      {"tags.filter(t, t)", "15: the predicate of filter() must be bool; this is string\n"},
      {"word.size", "5: no field \"size\": a value of type string has no fields\n"},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(Outcome(text), want) << text;
}

TEST(CheckerTest, ReportsAllErrorsInTextOrder) {
  const std::string errors = Outcome("wrod == 'a' || cuont > 1 || -word == 'b'");
  EXPECT_EQ(std::ranges::count(errors, '\n'), 3);
  EXPECT_LT(errors.find("wrod"), errors.find("cuont"));
}

TEST(CheckerTest, CollectsThePathsThatAreRead) {
  std::vector<ExprError> errors;
  const auto ast = ParseExpr(
      "bid != null && bid.price > 1 && has(bid.user) && note == null && doc.a > tags[count]",
      &errors);
  ASSERT_NE(ast, nullptr);
  CheckExpr(ast.get(), Orders(), CheckMode::kDynamic, nullptr, &errors);
  std::string text;
  for (const FieldUse& use : CollectUses(*ast->root)) {
    for (const std::string& name : use.path) text += "." + name;
    text += use.presence_only ? "? " : " ";
  }
  EXPECT_EQ(text, ".bid? .bid.price .bid.user? .note? .doc .tags .count ");
}

TEST(CheckerTest, TakesAHundredKilobytesQuickly) {
  std::string text = "[1";
  while (text.size() < 100'000) text += ",[],wrod";
  EXPECT_NE(Outcome(text + "]").find("no field"), std::string::npos);
}

}  // namespace
}  // namespace millrace::worker
