#include "crds/base/text.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(ClosestNameTest, FindsTyposAndNothingElse) {
  const std::vector<std::string> names{"batchInterval", "sources", "sinks", "state"};
  EXPECT_EQ(ClosestName("batchIntreval", names), "batchInterval");
  EXPECT_EQ(ClosestName("batchinterval", names), "batchInterval");
  EXPECT_EQ(ClosestName("source", names), "sources");
  EXPECT_EQ(ClosestName("snik", names), std::nullopt);
  EXPECT_EQ(ClosestName("sniks", names), "sinks");
  EXPECT_EQ(ClosestName("kubernetes", names), std::nullopt);
  EXPECT_EQ(ClosestName("", names), std::nullopt);
  EXPECT_EQ(ClosestName(std::string(100'000, 'a'), names), std::nullopt);
}

TEST(SplitTest, KeepsEmptyParts) {
  EXPECT_EQ(Split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(Split("", ','), (std::vector<std::string_view>{""}));
}

TEST(TrimTest, CutsWhitespaceAtBothEnds) {
  EXPECT_EQ(Trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(Trim(" \n"), "");
}

TEST(Utf8Test, AcceptsOnlyWellFormedText) {
  for (const std::string_view good :
       {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x9A\x80"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
  for (const std::string_view bad : {"\xFF", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                                     "\xF4\x90\x80\x80", "\xC3", "\xE2\x82", "a\x80"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << HexEncode(bad);
  }
}

TEST(JsonQuoteTest, IsAlwaysValidJson) {
  EXPECT_EQ(JsonQuote("a\"b\\c\n\x01\x7f"), "\"a\\\"b\\\\c\\n\\u0001\\u007f\"");
  EXPECT_EQ(JsonQuote("\xE2\x82\xAC"), "\"\xE2\x82\xAC\"");
  EXPECT_EQ(JsonQuote("\xFFx"), "\"\xEF\xBF\xBDx\"");
}

TEST(ExcerptTest, EscapesAndCutsAtCharacters) {
  EXPECT_EQ(Excerpt("a\nb"), "a\\nb");
  EXPECT_EQ(Excerpt("\xFF"), "\\xff");
  EXPECT_EQ(Excerpt("0123456789", 10), "0123456789");
  EXPECT_EQ(Excerpt("0123456789a", 10), "0123456...");
  EXPECT_EQ(Excerpt("\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC", 8), "\xE2\x82\xAC...");
  EXPECT_LE(Excerpt(std::string(1000, '\n'), 20).size(), 20u);
}

}  // namespace
}  // namespace millrace
