#include "worker/data/type.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

TEST(TypeTest, ReadsWhatItPrints) {
  for (const char* text : {"bool", "int?", "list<string?>", "map<string, list<int>>?",
                           "struct<a: timestamp, b: struct<c: json?>?>"}) {
    const Result<Type> type = ParseType(text);
    ASSERT_TRUE(type.ok()) << type.status();
    EXPECT_EQ(type->ToString(), text);
  }
}

TEST(TypeTest, AllowsSpacesBetweenTokens) {
  EXPECT_EQ(ParseType(" list < struct<sku:string,qty :int ?> > ? ")->ToString(),
            "list<struct<sku: string, qty: int?>>?");
}

TEST(TypeTest, NamesColumnAndRemedyOfEachMistake) {
  const struct {
    const char* text;
    const char* want;
  } kCases[] = {
      {"strng", "Did you mean \"string\"?"},
      {"list<integer>", "column 6: unknown type \"integer\""},
      {"", "the text ends"},
      {"list<int", "column 9: expected \">\" in list"},
      {"int x", "unexpected \"x\" after the type"},
      {"int??", "unexpected \"?\""},
      {"map<int, int>", "keys of a map are string"},
      {"struct<a: int, a: int>", "\"a\" is there twice"},
      {"struct<>", "expected a field name"},
      {"struct<a int>", "expected \":\""},
  };
  for (const auto& c : kCases) {
    EXPECT_NE(ParseType(c.text).status().message().find(c.want), std::string::npos)
        << c.text << ": " << ParseType(c.text).status();
  }
}

TEST(TypeTest, RefusesDeepNesting) {
  std::string text = "int";
  for (int i = 0; i < 17; ++i) text = "list<" + text + ">";
  EXPECT_FALSE(ParseType(text).ok());
  EXPECT_TRUE(ParseType(text.substr(5, text.size() - 6)).ok());
}

TEST(TypeTest, ComparesNullabilityAndParts) {
  EXPECT_EQ(*ParseType("struct<a: int>"), *ParseType("struct<a: int>"));
  EXPECT_FALSE(*ParseType("struct<a: int>") == *ParseType("struct<a: int?>"));
  EXPECT_FALSE(*ParseType("struct<a: int>") == *ParseType("struct<b: int>"));
  EXPECT_EQ(ParseType("int")->AsNullable(), *ParseType("int?"));
}

TEST(SchemaTest, HidesNamesWithTwoUnderscores) {
  Schema schema({{"word", Type(Kind::kString)}, {"__line", Type(Kind::kInt)}});
  EXPECT_EQ(schema.VisibleNames(), std::vector<std::string>{"word"});
  EXPECT_EQ(schema.ToString(), "{word: string}");
}

TEST(SchemaTest, ReplacesAFieldInPlace) {
  Schema schema({{"a", Type(Kind::kString)}, {"b", Type(Kind::kInt)}});
  schema.Set({"a", Type(Kind::kBool)});
  schema.Set({"c", Type(Kind::kInt)});
  EXPECT_EQ(schema.ToString(), "{a: bool, b: int, c: int}");
}

}  // namespace
}  // namespace millrace::worker
