#include "worker/sink/console/text_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/sink/console/text_width.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;

TEST(TextWidthTest, MakesTextSafeForTerminals) {
  const std::pair<std::string, std::string> cases[] = {
      {"plain", "plain"},
      {"a\tb\nc\r", "a\\tb\\nc\\r"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {"\x7f", "\\x7f"},
      {"caf\xc3\xa9", "café"},
      {"\xff\xc3", "\\xff\\xc3"},
      {"\xc2\x9b", "\\x9b"},
      {"a\xe2\x80\xae"
       "b",
       "a\\u202eb"},
      {std::string("\0", 1), "\\x00"},
      {"👍", "👍"},
      {"back\\slash", "back\\slash"},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(EscapeForTerminal(text), want);
}

TEST(TextWidthTest, CountsColumns) {
  const std::pair<std::string, int> cases[] = {{"", 0},     {"abc", 3}, {"é", 1},    {"e\u0301", 1},
                                               {"日本", 4}, {"👍", 2},   {"한국", 4}, {"…", 1}};
  for (const auto& [text, want] : cases) EXPECT_EQ(DisplayWidth(text), want) << text;
}

TEST(TextWidthTest, CutsAtCharacters) {
  EXPECT_EQ(FitWidth("abcdef", 6), "abcdef");
  EXPECT_EQ(FitWidth("abcdef", 4), "abc…");
  EXPECT_EQ(FitWidth("日本語", 4), "日…");
  EXPECT_EQ(FitWidth("ab", 1), "…");
  EXPECT_EQ(FitWidth("ab", 0), "");
}

TextTable Words() {
  return {{"word", "at", "count"},
          {false, false, true},
          {{"the", "2024-06-01T00:00:00Z", "1234"},
           {"naïve 👍 word that is long", "2024-06-01T00:00:10Z", "7"}},
          {true, false}};
}

TEST(TextTableTest, FitsWideTerminals) {
  for (const int width : {80, 200}) {
    EXPECT_THAT(LayoutForTerminal(Words(), width, false),
                ElementsAre("word                        at                    count",
                            "the                         2024-06-01T00:00:00Z   1234",
                            "naïve 👍 word that is long  2024-06-01T00:00:10Z      7"))
        << width;
  }
}

TEST(TextTableTest, FitsTwentyColumns) {
  EXPECT_THAT(LayoutForTerminal(Words(), 20, false),
              ElementsAre("word    at     count", "the     2024…   1234", "naïve…  2024…      7"));
}

TEST(TextTableTest, LeavesOutColumnsWithoutRoom) {
  TextTable table;
  for (int i = 0; i < 6; ++i) {
    table.header.push_back("column" + std::to_string(i));
    table.right_aligned.push_back(false);
  }
  table.rows.push_back({"1", "2", "3", "4", "5", "6"});
  EXPECT_THAT(LayoutForTerminal(table, 20, false),
              ElementsAre("colu…  col…  col…  …", "1      2     3     …"));
}

TEST(TextTableTest, NeverExceedsTheWidth) {
  for (int width = 1; width <= 90; ++width) {
    for (const std::string& line : LayoutForTerminal(Words(), width, false)) {
      EXPECT_LE(DisplayWidth(line), width) << line;
    }
  }
}

TEST(TextTableTest, ColoursOnlyWhenAsked) {
  const std::vector<std::string> lines =
      LayoutForTerminal({{"a"}, {false}, {{"x"}, {"y"}}, {true, false}}, 80, true);
  EXPECT_THAT(lines, ElementsAre("\033[2ma\033[0m", "\033[1mx\033[0m", "y"));
}

TEST(TextTableTest, PipesCutNothingAndKeepColumnsInLine) {
  std::vector<int> widths;
  const std::string long_text(60, 'x');
  EXPECT_THAT(LayoutForPipe({{"k", "n"}, {false, true}, {{"abcdef", "10"}}, {}}, &widths),
              ElementsAre("k        n", "abcdef  10"));
  EXPECT_THAT(LayoutForPipe({{"k", "n"}, {false, true}, {{"a", "1"}}, {}}, &widths),
              ElementsAre("k        n", "a        1"));
  EXPECT_THAT(LayoutForPipe({{"k", "n"}, {false, true}, {{long_text, "1"}}, {}}, &widths),
              ElementsAre("k" + std::string(41, ' ') + " n", long_text + "   1"));
}

}  // namespace
}  // namespace millrace::worker
