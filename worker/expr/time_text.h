#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "worker/expr/value.h"

namespace millrace::worker {

inline constexpr int32_t kNanosPerSecond = 1'000'000'000;
inline constexpr int64_t kMinTimestampSeconds = -62'135'596'800;  // 0001-01-01T00:00:00Z
inline constexpr int64_t kMaxTimestampSeconds = 253'402'300'799;  // 9999-12-31T23:59:59Z

// Values in CEL's ranges: timestamps of the years 1 to 9999, durations of 64-bit nanoseconds (about
// 292 years). nullopt beyond them. `nanos` may have any sign and size.
std::optional<Value> TimestampInRange(int64_t seconds, int64_t nanos);
std::optional<Value> DurationInRange(int64_t seconds, int64_t nanos);

// RFC 3339 with up to nine fraction digits and any offset. nullopt for other texts and out of
// range.
std::optional<Value> ParseTimestampText(std::string_view text);
// "1h30m", "-1.5s", "0": units h m s ms us µs ns. nullopt for other texts and out of range.
std::optional<Value> ParseDurationText(std::string_view text);

// "2024-06-01T00:00:00.5Z"; as many fraction digits as needed.
std::string TimestampText(const Value& timestamp);
// "90s", "-1.5s".
std::string DurationText(const Value& duration);

// Column microseconds and values. ToMicros cuts finer digits; false where 64 bits do not suffice.
Value TimestampOfMicros(int64_t micros);
Value DurationOfMicros(int64_t micros);
bool ToMicros(const Value& time, int64_t* micros);

}  // namespace millrace::worker
