#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// What holds in a zone at one moment.
struct ZoneOffset {
  int32_t seconds = 0;  // east of UTC
  std::string abbreviation = "UTC";
};

// The rule by which offsets go on after the last listed transition: a POSIX TZ text such as
// "CET-1CEST,M3.5.0,M10.5.0/3".
struct ZoneRule {
  // A day of the year: Mm.w.d (kMonthWeekDay), Jn (kJulian, no 29 February) or n (kDayOfYear).
  struct Change {
    enum class Form { kMonthWeekDay, kJulian, kDayOfYear } form = Form::kMonthWeekDay;
    int month = 1, week = 1, day = 0;
    int32_t time = 7200;  // seconds of local time
  };
  ZoneOffset standard;
  ZoneOffset daylight;
  bool has_daylight = false;
  Change to_daylight;
  Change to_standard;
};
Result<ZoneRule> ParseZoneRule(std::string_view text);

// Offsets of one IANA zone, read from TZif data (RFC 8536, versions 2 and up). A value; thread-safe
// to read.
class TimeZone {
 public:
  // Never trusts a count in `bytes`. Errors name `name`.
  static Result<TimeZone> Parse(std::string_view bytes, const std::string& name);
  const ZoneOffset& At(int64_t seconds_since_epoch) const;

 private:
  std::vector<int64_t> transitions_;  // ascending
  std::vector<uint8_t> kinds_;        // kind from transitions_[i] on
  std::vector<ZoneOffset> offsets_;
  bool has_rule_ = false;
  ZoneRule rule_;
};

// The offset that `zone` ("" or "UTC", "+02:00", or an IANA name of the system database) has at
// `micros`. Zones are read once per thread and kept. kInvalid for a malformed name, kNotFound for a
// zone the system does not have. Thread-safe.
Result<ZoneOffset> ZoneOffsetAt(std::string_view zone, int64_t micros);

}  // namespace millrace::worker
