#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/check.h"

// What a wrong expression, or one that is out of all bounds, is answered.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;

std::string Repeat(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

struct BadExpression {
  const char* name;
  std::string text;
  std::string want;  // column within the expression, then the message; empty: it is good
};

// Columns at which the expressions begin, on line 7.
constexpr int kColumn = 48;
constexpr int kValueColumn = 99;

std::vector<std::string> CheckFilter(const std::string& text) {
  return Check(Job("    - {name: s, from: lines, steps: [{filter: '" + text + "'}]}\n",
                   "{name: lines, stdin: {}, format: {json: {schema: {k: string, v: int}}}}"));
}

TEST(ExpressionErrorTest, B25PlaceAndRule) {
  const BadExpression cases[] = {
      {"OpenParenthesis", "((v > 1)",
       "9:the expression ends where \")\" to close \"(\" is expected"},
      {"ClosedTooOften", "v > 1)", "6:found \")\" where an operator or the end is expected"},
      {"Empty", " ", "1:the expression is empty"},
      {"Emoji", "\U0001F600 == k", "1:unexpected character \"\U0001F600\""},
      {"EmojiInAString", "k == \"\U0001F600\"", ""},
      {"NulInAString", "k == \"a\\x00b\"", ""},
      {"IntTooLarge", "v > 9223372036854775808",
       "5:the number does not fit an int; a uint ends in u"},
      {"Overflow", "v > 9223372036854775807 + 1", ""},  // an error of the record
      {"DivisionByZero", "v > 1 / 0", ""},              // so is this
      {"TooLong", "v > 1" + Repeat(" || v > 2", 12'000),
       "1:must have at most 102400 characters, found 108005"},
      {"TooDeep", Repeat("(", 5000) + "v > 1" + Repeat(")", 5000),
       "251:nested more than 250 levels deep"},
      {"TooManySigns", Repeat("-", 5000) + "v > 1",
       "4001:more than 1,000 operators in a row; split the expression"},
      {"Backtracking", "k.matches(\"(a+)+$\")", ""},  // in linear time
      {"RepeatedTooOften", "k.matches(\"(a{1000}){1000}\")",
       "11:invalid regular expression: invalid repetition size: {1000}"},
      {"LookAhead", "k.matches(\"(?=a)b\")",
       "11:invalid regular expression: invalid perl operator: (?="},
      {"UnknownFunction", "nofunc(k)", "1:no function nofunc()."},
      {"BadPattern", "k.matches(\"(a\")", "11:invalid regular expression: missing ): (a"},
  };
  for (const auto& [name, text, want] : cases) {
    const std::vector<std::string> errors = CheckFilter(text);
    if (want.empty()) {
      EXPECT_THAT(errors, IsEmpty()) << name;
      continue;
    }
    const size_t colon = want.find(':');
    const int column = kColumn + std::stoi(want.substr(0, colon)) - 1;
    EXPECT_THAT(errors, ElementsAre("job.yaml:7:" + std::to_string(column) +
                                    ": spec.streams[0].steps[0].filter: " + want.substr(colon + 1)))
        << name;
  }
}

TEST(ExpressionErrorTest, B25NulIsACharacterThatNoExpressionHas) {
  EXPECT_THAT(Check(Steps("{filter: \"val\\0ue == 'a'\"}")),
              ElementsAre(EndsWith("filter: unexpected character \"\\u0000\"")));
  EXPECT_THAT(Check(Steps("{filter: \"value == 'a\\0b'\"}")), IsEmpty()) << "in a string it may";
}

TEST(ExpressionErrorTest, B24CallsSayWhatTheyTake) {
  EXPECT_THAT(CheckFilter("k.startsWith()"),
              ElementsAre(EndsWith("steps[0].filter: no overload of startsWith() for (string); "
                                   "there are (string, string)")));
}

std::vector<std::string> CheckValue(const std::string& text) {
  return Check(
      Job("    - {name: s, from: lines, steps: [{aggregate: {key: [k], window: {batch: "
          "{}}, values: {total: '" +
              text + "'}}}]}\n",
          "{name: lines, stdin: {}, format: {json: {schema: {k: string, v: int}}}}"));
}

TEST(ExpressionErrorTest, B24AggregatesSayWhatTheyTake) {
  const std::pair<std::string, std::string> cases[] = {
      {"sum(k)", "1:sum() takes int, uint, double or duration, found string"},
      {"1 + sum(k)", "5:sum() takes int, uint, double or duration, found string"},
      {"summ(v)", "1:no aggregate or function summ(). Did you mean \"sum\"?"},
      {"countIff(v > 1)", "1:no aggregate or function countIff(). Did you mean \"countIf\"?"},
      {"nothing(v)", "1:no aggregate or function nothing()."},
      {"sum(sum(v))",
       "5:aggregates cannot be nested; aggregate the first result in a step of its own"},
      {"sum()", "1:sum() takes 1 argument(s), found 0"},
      {"sum(v, v)", "1:sum() takes 1 argument(s), found 2"},
      {"count(v)", "1:count() takes 0 argument(s), found 1"},
      {"avg(k)", "1:avg() takes int, uint, double or duration, found string"},
      {"sum(w)", "5:no field \"w\" in this record; it has: k, v."},
  };
  for (const auto& [text, want] : cases) {
    const size_t colon = want.find(':');
    const int column = kValueColumn + std::stoi(want.substr(0, colon)) - 1;
    EXPECT_THAT(
        CheckValue(text),
        ElementsAre("job.yaml:7:" + std::to_string(column) +
                    ": spec.streams[0].steps[0].aggregate.values.total: " + want.substr(colon + 1)))
        << text;
  }
}

TEST(ExpressionErrorTest, B22TimestampMustBeAFieldThatIsATime) {
  const auto timed = [](const std::string& expression) {
    return Check(Job("    - {name: s, from: lines}\n",
                     "{name: lines, stdin: {}, format: {json: {schema: {v: int}}}, eventTime: "
                     "{timestampExpr: " +
                         expression + "}}"));
  };
  const std::string path = "job.yaml:5:101: spec.sources[0].eventTime.timestampExpr: ";
  EXPECT_THAT(timed("at"), ElementsAre(path + "no field \"at\" in this record; it has: v."));
  EXPECT_THAT(timed("v"), ElementsAre(path + "expected timestamp?, found int"));
  EXPECT_THAT(timed("fromUnixMillis(v)"), IsEmpty());
}

TEST(CheckLimitTest, B20ThousandsOfStreamsAreOneError) {
  std::string streams;
  for (int i = 0; i < 10'000; ++i)
    streams += "    - {name: s" + (i == 0 ? "" : std::to_string(i)) + ", from: lines}\n";
  EXPECT_THAT(Check(Job(streams)),
              ElementsAre("job.yaml:7:5: spec.streams: expected at most 64 items, found 10000"));
}

}  // namespace
}  // namespace millrace::worker::testing
