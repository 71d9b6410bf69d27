#include <gtest/gtest.h>

#include <chrono>

#include "worker/data/format.h"

namespace millrace::worker {
namespace {

using api::TimestampFormat;
using api::TimestampKind;

std::string Written(const TimestampFormat& format, int64_t micros) {
  std::string out;
  AppendTimestamp(format, micros, &out);
  return out;
}

struct TimeCase {
  TimestampFormat format;
  std::string text;
  int64_t micros;
};

// B54: negative, far, fractions, offsets, leap seconds.
TEST(TimestampTest, ReadsEveryFormB54) {
  const TimestampFormat rfc;
  const TimestampFormat seconds{TimestampKind::kUnixSeconds, ""};
  const TimestampFormat millis{TimestampKind::kUnixMillis, ""};
  const TimestampFormat micros{TimestampKind::kUnixMicros, ""};
  const TimeCase cases[] = {
      {rfc, "1970-01-01T00:00:00Z", 0},
      {rfc, "2024-06-01T12:34:56Z", 1717245296000000},
      {rfc, "2024-06-01T12:34:56.5Z", 1717245296500000},
      {rfc, "2024-06-01T12:34:56.123456789Z", 1717245296123456},
      {rfc, "2024-06-01T14:34:56+02:00", 1717245296000000},
      {rfc, "2024-06-01t12:34:56z", 1717245296000000},
      {rfc, "2024-02-29T00:00:00Z", 1709164800000000},
      {rfc, "1969-12-31T23:59:59.999Z", -1000},
      {rfc, "9999-12-31T23:59:59.999999Z", 253402300799999999},
      {rfc, "0001-01-01T00:00:00Z", -62135596800000000},
      {rfc, "2016-12-31T23:59:60Z", 1483228800000000},
      {seconds, "1717245296", 1717245296000000},
      {seconds, "-1", -1000000},
      {seconds, "1717245296.1234567", 1717245296123456},
      {millis, "1717245296123", 1717245296123000},
      {millis, "-0.5", -500},
      {micros, "1717245296123456", 1717245296123456},
      {{TimestampKind::kStrptime, "%d/%b/%Y:%H:%M:%S %z"},
       "01/Jun/2024:14:34:56 +0200",
       1717245296000000},
  };
  for (const TimeCase& c : cases) {
    const Result<int64_t> got = ParseTimestampMicros(c.format, c.text);
    ASSERT_TRUE(got.ok()) << c.text << ": " << got.status();
    EXPECT_EQ(*got, c.micros) << c.text;
  }
}

TEST(TimestampTest, RefusesWhatIsNoTimeB54) {
  const TimestampFormat rfc;
  for (const char* text : {"2023-02-29T00:00:00Z", "2024-06-01T12:34:56", "2024-06-01", "", "now",
                           "2024-13-01T00:00:00Z", "2024-06-31T00:00:00Z", "2024-06-01T24:00:00Z",
                           "2024-06-01T12:60:00Z", "2024-06-01T12:34:61Z", "2024-06-01T12:34:56.Z",
                           "2024-06-01T12:34:56Zx", "1717245296", "2024-00-10T00:00:00Z"}) {
    EXPECT_FALSE(ParseTimestampMicros(rfc, text).ok()) << text;
  }
  EXPECT_EQ(
      ParseTimestampMicros(rfc, "2023-02-29T00:00:00Z").status().message(),
      "\"2023-02-29T00:00:00Z\" is not an RFC 3339 time; use for example 2024-06-01T00:00:00Z");
}

// Texts that fail before a fraction and go on like one: found by decode_fuzz, where they never
// ended.
TEST(TimestampTest, EndsOnFractionsWithoutATime) {
  for (const char* text :
       {".1", ",5", "2024.5", "2024-06.1", "x.123456789012345678901Z", "2024-06-01T12:34.5",
        "2024-06-01T12:3.50000000Z", "2024-06-01T12:34:5.1234Z"}) {
    EXPECT_EQ(ParseTimestampMicros({}, text).status().code(), StatusCode::kInvalid) << text;
  }
}

TEST(TimestampTest, NamesTheUnitThatIsMeantB54) {
  const TimestampFormat seconds{TimestampKind::kUnixSeconds, ""};
  EXPECT_EQ(
      ParseTimestampMicros(seconds, "1717245296123").status().message(),
      "1717245296123 seconds since 1970 is outside the years 1 to 9999; is the format UnixMillis?");
  EXPECT_EQ(ParseTimestampMicros(seconds, "12x").status().message(),
            "\"12x\" is not a time in seconds since 1970");
  for (const char* text : {"", "-", "1.", ".5", "1e9", "99999999999999999999", "+1", " 1"}) {
    EXPECT_FALSE(ParseTimestampMicros(seconds, text).ok()) << text;
  }
}

TEST(TimestampTest, WritesWhatItReads) {
  const TimestampFormat formats[] = {{},
                                     {TimestampKind::kUnixSeconds, ""},
                                     {TimestampKind::kUnixMillis, ""},
                                     {TimestampKind::kUnixMicros, ""},
                                     {TimestampKind::kStrptime, "%Y-%m-%d %H:%M:%S.%f"}};
  for (const TimestampFormat& format : formats) {
    for (const int64_t micros :
         {int64_t{0}, int64_t{1717245296123456}, int64_t{1717245296123000},
          int64_t{-62135596800000000}, int64_t{-1}, int64_t{253402300799999999}}) {
      const std::string text = Written(format, micros);
      const Result<int64_t> back = ParseTimestampMicros(format, text);
      ASSERT_TRUE(back.ok()) << text << ": " << back.status();
      EXPECT_EQ(*back, micros) << text;
    }
  }
}

TEST(TimestampTest, WritesAsFewFractionDigitsAsNeeded) {
  EXPECT_EQ(Written({}, 1717245296000000), "2024-06-01T12:34:56Z");
  EXPECT_EQ(Written({}, 1717245296120000), "2024-06-01T12:34:56.120Z");
  EXPECT_EQ(Written({}, 1717245296120001), "2024-06-01T12:34:56.120001Z");
  EXPECT_EQ(Written({TimestampKind::kUnixSeconds, ""}, -1500000), "-1.5");
  EXPECT_EQ(Written({TimestampKind::kUnixMillis, ""}, 1717245296123456), "1717245296123.456");
  EXPECT_EQ(Written({TimestampKind::kUnixMicros, ""}, -7), "-7");
}

TEST(TimestampTest, LooksAtEveryByteOfATime) {
  const std::string time = "2011-11-11T11:11:11Z";
  for (size_t at = 0; at + 1 < time.size(); ++at) {
    const bool digit = time[at] == '1' || time[at] == '2' || time[at] == '0';
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = time;
      text[at] = static_cast<char>(byte);
      const Result<int64_t> parsed = ParseTimestampMicros({}, text);
      const bool no_digit = digit && (byte < '0' || byte > '9');
      const bool no_mark = !digit && time[at] != 'T' && text != time;
      EXPECT_FALSE((no_digit || no_mark) && parsed.ok()) << text;
      const bool same = !parsed.ok() || time[at] == 'T' || Written({}, *parsed) == text;
      EXPECT_TRUE(same) << text;
    }
  }
}

TEST(TimestampTest, AgreesWithTheCalendarOfTheStandardLibrary) {
  for (int64_t day = -719'162; day < 2'932'896; day += 97) {
    const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT00:00:00Z", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    ASSERT_EQ(Written({}, day * 86'400'000'000), text);
    ASSERT_EQ(*ParseTimestampMicros({}, text), day * 86'400'000'000) << text;
  }
}

}  // namespace
}  // namespace millrace::worker
