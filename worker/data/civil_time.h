#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::worker {

inline constexpr int64_t kMicrosPerSecond = 1'000'000;
inline constexpr int64_t kSecondsPerDay = 86'400;
// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: the range of CEL timestamps and of what
// text may say.
inline constexpr int64_t kMinTimestampMicros = -62'135'596'800 * kMicrosPerSecond;
inline constexpr int64_t kMaxTimestampMicros = 253'402'300'800 * kMicrosPerSecond - 1;

// A point in time of the proleptic Gregorian calendar, split into what people read.
struct CivilTime {
  int64_t year = 1970;
  int month = 1;  // 1..12
  int day = 1;    // 1..31
  int hour = 0;
  int minute = 0;
  int second = 0;
  int micros = 0;
  int weekday = 4;   // 0 is Sunday
  int year_day = 1;  // 1..366
};

// Days since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms"). Requires:
// month 1..12.
constexpr int64_t DaysFromCivil(int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

constexpr bool IsLeapYear(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

constexpr int DaysInMonth(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && IsLeapYear(year) ? 29 : kDays[month - 1];
}

constexpr int64_t FloorDivide(int64_t value, int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

constexpr CivilTime ToCivil(int64_t micros) {
  const int64_t seconds = FloorDivide(micros, kMicrosPerSecond);
  const int64_t days = FloorDivide(seconds, kSecondsPerDay);
  const int64_t shifted = days + 719'468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const int64_t day_of_era = shifted - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  CivilTime civil;
  civil.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  civil.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  const auto second_of_day = static_cast<int>(seconds - days * kSecondsPerDay);
  civil.hour = second_of_day / 3600;
  civil.minute = second_of_day / 60 % 60;
  civil.second = second_of_day % 60;
  civil.micros = static_cast<int>(micros - seconds * kMicrosPerSecond);
  civil.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);
  civil.year_day = static_cast<int>(days - DaysFromCivil(civil.year, 1, 1) + 1);
  return civil;
}

// Appends `value` with zeros (or `fill`) in front up to `width` digits. Requires: value >= 0.
inline void AppendPadded(int64_t value, int width, std::string* out, char fill = '0') {
  char digits[20];
  int size = 0;
  do {
    digits[size++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  while (size < width) digits[size++] = fill;
  while (size > 0) out->push_back(digits[--size]);
}

}  // namespace millrace::worker
