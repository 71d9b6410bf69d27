#include "worker/runtime/query/state_key.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

std::vector<Type> Types(const std::vector<std::string>& texts) {
  std::vector<Type> types;
  for (const std::string& text : texts) types.push_back(ParseType(text).value());
  return types;
}

TEST(StateKeyTest, AKeyOfOneFieldIsItsPlainText) {
  EXPECT_EQ(*ParseStateKey({"user"}, Types({"string"}), "ann \"x\""), "ann \"x\"");
  EXPECT_EQ(*ParseStateKey({"user"}, Types({"string"}), R"({"user":"ann"})"), "ann");
  EXPECT_EQ(*ParseStateKey({"n"}, Types({"int"}), "5"),
            *ParseStateKey({"n"}, Types({"int"}), R"({"n":5})"));
  EXPECT_EQ(*ParseStateKey({"at"}, Types({"timestamp"}), "2024-01-01T00:00:00Z"),
            *ParseStateKey({"at"}, Types({"timestamp"}), R"({"at":"2024-01-01T01:00:00+01:00"})"));
}

TEST(StateKeyTest, AKeyOfSeveralFieldsIsAnObjectInAnyOrder) {
  const std::vector<std::string> names = {"user", "n"};
  const std::vector<Type> types = Types({"string", "int"});
  EXPECT_EQ(*ParseStateKey(names, types, R"({"user":"ann","n":5})"),
            *ParseStateKey(names, types, R"({"n":5,"user":"ann"})"));
  EXPECT_NE(*ParseStateKey(names, types, R"({"user":"ann","n":5})"),
            *ParseStateKey(names, types, R"({"user":"ann","n":6})"));
}

TEST(StateKeyTest, RefusesWhatIsNoKeyAndSaysWhy) {
  struct Case {
    std::vector<std::string> names;
    std::vector<std::string> types;
    const char* text;
    const char* want;
  };
  const Case cases[] = {
      {{}, {}, "x", "the step has no key"},
      {{"a", "b"}, {"string", "string"}, "x", "the key has the fields a, b"},
      {{"n"}, {"int"}, "five", "n"},
      {{"n"}, {"int"}, R"(5,"n":6)", "n"},
      {{"a", "b"}, {"string", "string"}, R"({"a":"x"})", "b"},
      {{"a"}, {"string"}, R"({"a":"x","c":1})", "c"},
      {{"a"}, {"string"}, R"({"a":)", "key: "},
  };
  for (const Case& c : cases) {
    const Result<std::string> key = ParseStateKey(c.names, Types(c.types), c.text);
    ASSERT_FALSE(key.ok()) << c.text;
    EXPECT_EQ(key.status().code(), StatusCode::kInvalid);
    EXPECT_NE(key.status().message().find(c.want), std::string::npos) << key.status().message();
  }
}

}  // namespace
}  // namespace millrace::worker
