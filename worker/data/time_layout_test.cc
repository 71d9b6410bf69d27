#include "worker/data/time_layout.h"

#include <gtest/gtest.h>

#include "worker/data/format.h"

namespace millrace::worker {
namespace {

constexpr int64_t kNoon = 1717245296000000;  // 2024-06-01T12:34:56Z, a Saturday

TEST(TimeLayoutTest, ReadsEveryDirective) {
  const struct {
    const char *layout, *text;
    int64_t micros;
  } cases[] = {
      {"%Y-%m-%d %H:%M:%S", "2024-06-01 12:34:56", kNoon},
      {"%Y%m%d%H%M%S", "20240601123456", kNoon},
      {"%FT%TZ", "2024-06-01T12:34:56Z", kNoon},
      {"%d/%b/%Y:%H:%M:%S %z", "01/jun/2024:12:34:56 +0000", kNoon},
      {"%A, %d %B %Y %T %Z", "Saturday, 01 June 2024 12:34:56 GMT", kNoon},
      {"%a %b %e %T %Y", "Sat Jun  1 12:34:56 2024", kNoon},
      {"%m/%d/%y %I:%M:%S %p", "06/01/24 12:34:56 pm", kNoon},
      {"%m/%d/%y %I:%M:%S %p", "06/01/24 12:34:56 AM", kNoon - 43'200'000'000},
      {"%Y %j %T", "2024 153 12:34:56", kNoon},
      {"%s", "1717245296", kNoon},
      {"%s.%f", "1717245296.25", kNoon + 250'000},
      {"%F %T.%f%z", "2024-06-01 14:34:56.5+02:00", kNoon + 500'000},
      {"%F %T%z", "2024-06-01 08:04:56-0430", kNoon},
      {"%F %T%z", "2024-06-01 12:34:56Z", kNoon},
      {"%F 100%%", "2024-06-01 100%", 1717200000000000},
      {"%y", "69", -31'536'000'000'000},
      {"%F %T", "2016-12-31 23:59:60", 1483228800000000},
      {"%H:%M", "01:30", 5'400'000'000},
  };
  for (const auto& c : cases) {
    const Result<int64_t> got = ParseTimeLayout(c.layout, c.text);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, c.micros) << c.layout << " " << c.text;
  }
}

TEST(TimeLayoutTest, RefusesImpossibleDatesB54) {
  EXPECT_EQ(ParseTimeLayout("%Y-%m-%d", "2023-02-29").status().message(),
            "\"2023-02-29\" is not a time of the form \"%Y-%m-%d\": there is no such day");
  for (const auto& [layout, text] : {std::pair{"%F", "2024-04-31"},
                                     {"%Y %j", "2023 366"},
                                     {"%F", "2024-13-01"},
                                     {"%F", "2024-00-01"},
                                     {"%F %T", "2024-06-01 24:00:00"},
                                     {"%F %T", "2024-06-01 12:34:61"},
                                     {"%F", "2024-06-01x"},
                                     {"%F", "2024-06"},
                                     {"%F", ""},
                                     {"%F %z", "2024-06-01 +25:00"},
                                     {"%F %z", "2024-06-01 +02:"},
                                     {"%F %Z", "2024-06-01 IST"},
                                     {"%d %b", "1 Foo"},
                                     {"%I", "13"}}) {
    EXPECT_FALSE(ParseTimeLayout(layout, text).ok()) << layout << " " << text;
  }
}

TEST(TimeLayoutTest, NamesTheUnknownDirective) {
  const std::string want =
      "time layout \"%Y-%q\": unknown directive %q at byte 3; known are %Y %m %d %H %M %S %f %j %b "
      "%B %a %A "
      "%y %e %p %I %s %z %Z %F %T %%";
  EXPECT_EQ(CheckTimeLayout("%Y-%q").message(), want);
  EXPECT_EQ(ParseTimeLayout("%Y-%q", "2024-x").status().message(), want);
  EXPECT_EQ(FormatTimeLayout("%Y-%q", 0, "").status().message(), want);
  EXPECT_FALSE(CheckTimeLayout("100%").ok());
  EXPECT_TRUE(CheckTimeLayout("%F %T %%").ok());
}

TEST(TimeLayoutTest, WritesEveryDirective) {
  const struct {
    const char *layout, *want;
  } cases[] = {{"%Y-%m-%d %H:%M:%S.%f", "2024-06-01 12:34:56.000000"},
               {"%FT%T%z", "2024-06-01T12:34:56+0000"},
               {"%a %A %b %B", "Sat Saturday Jun June"},
               {"%e|%j|%y|%I %p", " 1|153|24|12 PM"},
               {"%s %Z %%", "1717245296 UTC %"},
               {"dt=%Y-%m-%d/hour=%H", "dt=2024-06-01/hour=12"}};
  for (const auto& c : cases) EXPECT_EQ(*FormatTimeLayout(c.layout, kNoon, "UTC"), c.want);
  EXPECT_EQ(*FormatTimeLayout("%I %p", 0, ""), "12 AM");
}

TEST(TimeLayoutTest, WritesTheTimeOfAZone) {
  const struct {
    const char* zone;
    int64_t micros;
    const char* want;
  } cases[] = {
      {"+02:00", kNoon, "2024-06-01 14:34:56 +0200 +02:00"},
      {"-05:30", kNoon, "2024-06-01 07:04:56 -0530 -05:30"},
      {"Europe/Berlin", kNoon, "2024-06-01 14:34:56 +0200 CEST"},
      {"Europe/Berlin", 1711846800000000 - 1, "2024-03-31 01:59:59 +0100 CET"},
      {"Europe/Berlin", 1711846800000000, "2024-03-31 03:00:00 +0200 CEST"},
      {"America/New_York", kNoon, "2024-06-01 08:34:56 -0400 EDT"},
      {"Asia/Kolkata", kNoon, "2024-06-01 18:04:56 +0530 IST"},
      // Far behind the listed transitions, where only the rule of the zone says.
      {"Europe/Berlin", 4118214896000000, "2100-07-02 14:34:56 +0200 CEST"},
      {"Europe/Berlin", 4102488896000000, "2100-01-01 13:14:56 +0100 CET"},
      {"Australia/Sydney", 4102488896000000, "2100-01-01 23:14:56 +1100 AEDT"},
      {"America/New_York", -2717650801000000, "1883-11-18 12:03:57 -0456 LMT"},
  };
  for (const auto& c : cases) {
    const Result<std::string> got = FormatTimeLayout("%F %T %z %Z", c.micros, c.zone);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, c.want) << c.zone;
  }
}

TEST(TimeLayoutTest, RefusesUnknownZones) {
  EXPECT_EQ(FormatTimeLayout("%F", 0, "Europe/Berlim").status().code(), StatusCode::kNotFound);
  for (const char* zone :
       {"../../etc/passwd", "/etc/passwd", "Europe//Berlin", "a b", "Europe/", "+25:00"}) {
    EXPECT_EQ(FormatTimeLayout("%F", 0, zone).status().code(), StatusCode::kInvalid) << zone;
  }
  EXPECT_EQ(FormatTimeLayout("%F", 0, "+25:00").status().message(),
            "\"+25:00\" is not a time zone; use for example Europe/Berlin, UTC or +02:00");
}

TEST(TimeLayoutTest, ReadsPosixZoneRules) {
  EXPECT_EQ(ParseZoneRule("<+0330>-3:30")->standard.seconds, 12'600);
  EXPECT_EQ(ParseZoneRule("EST5EDT,M3.2.0,M11.1.0")->daylight.seconds, -14'400);
  EXPECT_EQ(ParseZoneRule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0")->to_daylight.time, -3'600);
  EXPECT_EQ(ParseZoneRule("IST-1GMT0,M10.5.0,M3.5.0/1")->daylight.seconds, 0);
  EXPECT_TRUE(ParseZoneRule("AAA3BBB,J60/0,300").ok());
  for (const char* text :
       {"", "A", "CET", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1x", "CET-1CEST,M3.5.0"}) {
    EXPECT_FALSE(ParseZoneRule(text).ok()) << text;
  }
}

TEST(TimeLayoutTest, RefusesCorruptZoneFiles) {
  std::string header = "TZif2" + std::string(15, '\0') + std::string(24, '\xff');
  EXPECT_FALSE(TimeZone::Parse("", "x").ok());
  EXPECT_FALSE(TimeZone::Parse(header + header, "x").ok());
  EXPECT_FALSE(TimeZone::Parse(std::string(200, '\0'), "x").ok());
}

}  // namespace
}  // namespace millrace::worker
