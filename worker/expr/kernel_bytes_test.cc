#include "worker/expr/kernel_bytes.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <random>

namespace millrace::worker {
namespace {

std::vector<std::string> Parts(SeparatorClass separator, char byte, std::string_view text) {
  std::vector<std::string_view> parts;
  parts.resize(ByteSplitter(separator, byte).Split(text, 0, &parts));
  return {parts.begin(), parts.end()};
}

// Splits by a pattern whose matches are never empty.
std::vector<std::string> RegexParts(const re2::RE2& pattern, std::string_view text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  re2::StringPiece match;
  const re2::StringPiece all(text.data(), text.size());
  while (pattern.Match(all, begin, text.size(), re2::RE2::UNANCHORED, &match, 1)) {
    const auto at = static_cast<size_t>(match.data() - text.data());
    parts.emplace_back(text.substr(begin, at - begin));
    begin = at + match.size();
  }
  parts.emplace_back(text.substr(begin));
  return parts;
}

TEST(ByteSplitterTest, CutsLikeTheRegex) {
  const struct {
    SeparatorClass separator;
    const char* pattern;
  } kCases[] = {{SeparatorClass::kNonWords, "\\W+"},
                {SeparatorClass::kSpaces, "\\s+"},
                {SeparatorClass::kByte, ","}};
  static constexpr char kAlphabet[] = "abzAZ09_ ,.\t\n\r\f\v@[`{/:";
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.pattern);
    const re2::RE2 pattern(c.pattern);
    std::mt19937_64 random(17);
    for (int i = 0; i < 3000; ++i) {
      std::string text(random() % 200, '\0');
      for (char& byte : text) byte = kAlphabet[random() % (sizeof kAlphabet - 1)];
      if (i % 4 == 0) text.insert(0, std::string(64, i % 8 == 0 ? 'x' : ' '));
      ASSERT_EQ(Parts(c.separator, ',', text), RegexParts(pattern, text)) << text;
    }
  }
}

TEST(ByteSplitterTest, CutsAtBlockBorders) {
  for (size_t size = 0; size <= 130; ++size) {
    for (const char fill : {'x', ' '}) {
      const std::string text(size, fill);
      EXPECT_EQ(Parts(SeparatorClass::kNonWords, 0, text), RegexParts(re2::RE2("\\W+"), text))
          << size;
    }
  }
}

TEST(ByteSplitterTest, TakesCharactersBeyondAsciiForSeparators) {
  EXPECT_EQ(Parts(SeparatorClass::kNonWords, 0, "caf\u00e9 ol\u00e9"),
            (std::vector<std::string>{"caf", "ol", ""}));
}

TEST(CaseTest, ChangesAsciiLettersOnly) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  std::string lower(all.size(), 0);
  std::string upper(all.size(), 0);
  CopyLowerAscii(all, lower.data());
  CopyUpperAscii(all, upper.data());
  for (int c = 0; c < 256; ++c) {
    EXPECT_EQ(static_cast<uint8_t>(lower[c]), c >= 'A' && c <= 'Z' ? c + 32 : c);
    EXPECT_EQ(static_cast<uint8_t>(upper[c]), c >= 'a' && c <= 'z' ? c - 32 : c);
  }
}

TEST(AsciiTest, FindsOneHighByteAnywhere) {
  for (size_t size = 1; size < 40; ++size) {
    std::string text(size, 'a');
    EXPECT_TRUE(IsAsciiText(text));
    for (size_t i = 0; i < size; ++i) {
      text[i] = '\x80';
      EXPECT_FALSE(IsAsciiText(text)) << size << " " << i;
      text[i] = 'a';
    }
  }
}

TEST(CharacterCountTest, CountsFirstBytesOfCharacters) {
  std::string text;
  for (int64_t count = 0; count < 40; ++count) {
    EXPECT_EQ(CountCharacters(text), count);
    text += count % 3 == 0 ? "\u20ac" : (count % 3 == 1 ? "a" : "\u00e9");
  }
}

TEST(LiteralPatternTest, SeesThroughEscapesOnly) {
  EXPECT_EQ(LiteralPattern("a\\.b"), "a.b");
  EXPECT_EQ(LiteralPattern(", "), ", ");
  for (const char* pattern :
       {"a.b", "a|b", "\\d", "a+", "(a)", "^a", "a$", "\\W+", "a{2}", "\\Qa\\E", "a\\"}) {
    EXPECT_EQ(LiteralPattern(pattern), std::nullopt) << pattern;
  }
}

}  // namespace
}  // namespace millrace::worker
