#include <gtest/gtest.h>

#include <random>

#include "crds/base/text.h"

namespace millrace {
namespace {

TEST(DurationTest, ReadsEveryUnit) {
  const std::vector<std::pair<std::string, int64_t>> cases{
      {"500ms", 500'000},
      {"1m30s", 90'000'000},
      {"1.5h", 5'400'000'000},
      {"24h", 86'400'000'000},
      {"0s", 0},
      {"0", 0},
      {"-2s", -2'000'000},
      {"+1s", 1'000'000},
      {"7us", 7},
      {"7\xC2\xB5s", 7},
      {"1500ns", 1},
      {".5s", 500'000},
  };
  for (const auto& [text, micros] : cases) {
    const Result<Duration> parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(parsed->count(), micros) << text;
  }
}

TEST(DurationTest, RefusesWithTheSpellingToUse) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"1d", "\"1d\" is not a duration: there is no unit \"d\"; write 24h"},
      {"5",
       "\"5\" is not a duration: a unit is missing; write 5s for seconds or 5ms for milliseconds"},
      {"1 sec",
       "\"1 sec\" is not a duration: there is no unit \" sec\"; use units ms, s, m or h, for "
       "example "
       "500ms, 1m30s or 24h"},
      {"", "\"\" is not a duration; use units ms, s, m or h, for example 500ms, 1m30s or 24h"},
      {"abc",
       "\"abc\" is not a duration; use units ms, s, m or h, for example 500ms, 1m30s or 24h"},
      {"9223372036854775807ms", "\"9223372036854775807ms\" is longer than 10,000 years"},
      {"99999999h", "\"99999999h\" is longer than 10,000 years"},
  };
  for (const auto& [text, message] : cases)
    EXPECT_EQ(ParseDuration(text).status().message(), message);
}

TEST(DurationTest, WritesWhatItReads) {
  const std::vector<std::pair<int64_t, std::string>> cases{
      {0, "0s"},
      {90'000'000, "1m30s"},
      {500'000, "500ms"},
      {86'400'000'000, "24h"},
      {1'500'000, "1.5s"},
      {-1, "-1us"},
      {3'600'500'000, "1h0.5s"},
      {1'500, "1.5ms"},
  };
  for (const auto& [micros, text] : cases) EXPECT_EQ(FormatDuration(Duration(micros)), text);
}

TEST(DurationTest, RoundTripsRandomValues) {
  constexpr unsigned kSeed = 7;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 10'000; ++i) {
    const auto micros =
        static_cast<int64_t>(random() >> (random() % 56 + 8)) * (random() % 2 == 0 ? 1 : -1);
    const std::string text = FormatDuration(Duration(micros));
    const Result<Duration> parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << "seed " << kSeed << ": " << text;
    ASSERT_EQ(parsed->count(), micros) << "seed " << kSeed << ": " << text;
  }
}

TEST(QuantityTest, ReadsThousandths) {
  const std::vector<std::pair<std::string, int64_t>> cases{{"500m", 500},
                                                           {"2", 2000},
                                                           {"0.5", 500},
                                                           {"1k", 1'000'000},
                                                           {"64Mi", 64ll * 1048576 * 1000},
                                                           {"1G", 1'000'000'000'000}};
  for (const auto& [text, milli] : cases) {
    const Result<int64_t> parsed = ParseQuantityMilli(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, milli) << text;
  }
  for (const std::string text : {"", "lots", "-1", "1 Gi", "1gb", "9999999999P"}) {
    EXPECT_FALSE(ParseQuantityMilli(text).ok()) << text;
  }
}

TEST(Rfc3339Test, ReadsOffsetsAndFractions) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"2024-06-01T00:00:00Z", "2024-06-01T00:00:00Z"},
      {"2024-06-01T02:00:00+02:00", "2024-06-01T00:00:00Z"},
      {"2024-06-01t00:00:00.5z", "2024-06-01T00:00:00.500Z"},
      {"2024-06-01 00:00:00.1234567Z", "2024-06-01T00:00:00.123456Z"},
      {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
      {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
      {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
  };
  for (const auto& [text, want] : cases) {
    const Result<TimePoint> parsed = ParseRfc3339(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(FormatRfc3339(*parsed), want);
  }
}

TEST(Rfc3339Test, RefusesDatesThatDoNotExist) {
  for (const std::string text :
       {"2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-06-01", "2024-06-01T00:00:00",
        "2024-06-01T24:00:00Z", "2024-06-01T00:00:00.Z", "2024-06-01T00:00:00Zx", ""}) {
    EXPECT_FALSE(ParseRfc3339(text).ok()) << text;
  }
}

}  // namespace
}  // namespace millrace
