#include "worker/data/timestamp.h"

#include <cstring>
#include <limits>

#include "crds/base/text.h"
#include "worker/data/civil_time.h"
#include "worker/data/format.h"
#include "worker/data/time_layout.h"

namespace millrace::worker {
namespace {

constexpr size_t kPlainRfc3339Bytes = 20;  // 2024-06-01T12:34:56Z
constexpr int64_t kScales[] = {1'000'000, 100'000, 10'000, 1'000, 100, 10, 1};

// What eight bytes of text must be: a digit where `text` has '0', elsewhere the same byte. With
// `zeros` taken out, adding `limits` sets the high bit of bytes over 9, or over 0.
struct DigitShape {
  consteval explicit DigitShape(const char (&text)[9]) {
    for (unsigned i = 0; i < 8; ++i) {
      zeros |= uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
      limits |= uint64_t{text[i] == '0' ? 0x7fu - 9 : 0x7fu} << (8 * i);
    }
  }
  uint64_t zeros = 0, limits = 0;
};

// Two digits "ab" as 10 a + b in the byte of `a`, the first byte lowest. Sets bits of `bad` when
// the text has another shape.
inline uint64_t DigitPairs(const char* text, DigitShape shape, uint64_t* bad) {
  uint64_t word = 0;
  std::memcpy(&word, text, sizeof word);
  word ^= shape.zeros;
  *bad |= (word | (word + shape.limits)) & 0x8080808080808080u;
  return word * 10 + (word >> 8);
}

inline int ByteOf(uint64_t word, unsigned i) { return static_cast<int>(word >> (8 * i) & 0xff); }

// Digits behind the dot up to the final 'Z'; -1 when it is not that.
inline int64_t FractionMicros(std::string_view text) {
  if (text.size() < 3 || text.size() > 11 || text[0] != '.' || text.back() != 'Z') return -1;
  int64_t micros = 0;
  const size_t digits = text.size() - 2;
  for (size_t i = 1; i <= digits; ++i) {
    const unsigned digit = static_cast<unsigned char>(text[i]) - unsigned{'0'};
    if (digit > 9) return -1;
    if (i <= 6) micros = micros * 10 + digit;
  }
  return micros * kScales[digits > 6 ? 6 : digits];
}

// "12", "-12.5": digits with an optional fraction, in units of 10^-`unit_digits` s. Finer than a
// microsecond is cut.
bool ParseUnits(std::string_view text, int unit_digits, int64_t* micros) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = dot == std::string_view::npos ? "" : text.substr(dot + 1);
  if (whole.empty() || whole.size() > 18 || (dot != std::string_view::npos && fraction.empty()))
    return false;
  int64_t value = 0;
  for (const char c : whole) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  for (const char c : fraction) {
    if (c < '0' || c > '9') return false;
  }
  for (int i = unit_digits; i < 6; ++i) {
    const auto at = static_cast<size_t>(i - unit_digits);
    const int digit = at < fraction.size() ? fraction[at] - '0' : 0;
    if (value > (std::numeric_limits<int64_t>::max() - digit) / 10) {
      *micros = std::numeric_limits<int64_t>::max();
      return true;  // out of range, which the caller says
    }
    value = value * 10 + digit;
  }
  *micros = negative ? -value : value;
  return true;
}

// Whether `text` starts as a date and a time of day do, with a zone or a fraction behind. Only such
// texts are handed on to ParseRfc3339: what it is given is data from outside, and a text that fails
// before its fraction must not reach the fraction.
bool HasRfc3339Shape(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (text.size() <= kShape.size()) return false;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const char c = text[i];
    const bool separator = c == kShape[i] || (kShape[i] == 'T' && (c == 't' || c == ' '));
    if (kShape[i] == '0' ? c < '0' || c > '9' : !separator) return false;
  }
  return true;
}

struct UnixForm {
  int digits;
  std::string_view unit;
  std::string_view finer;  // what too large a value often is
};

UnixForm FormOf(api::TimestampKind kind) {
  switch (kind) {
    case api::TimestampKind::kUnixSeconds:
      return {0, "seconds", "UnixMillis"};
    case api::TimestampKind::kUnixMillis:
      return {3, "milliseconds", "UnixMicros"};
    case api::TimestampKind::kUnixMicros:
    case api::TimestampKind::kRfc3339:
    case api::TimestampKind::kStrptime:
      break;
  }
  return {6, "microseconds", ""};
}

Result<int64_t> ParseUnix(api::TimestampKind kind, std::string_view text) {
  const UnixForm form = FormOf(kind);
  int64_t micros = 0;
  if (!ParseUnits(text, form.digits, &micros)) {
    return InvalidError("\"" + Excerpt(text) + "\" is not a time in " + std::string(form.unit) +
                        " since 1970");
  }
  if (micros < kMinTimestampMicros || micros > kMaxTimestampMicros) {
    std::string message =
        Excerpt(text) + " " + std::string(form.unit) + " since 1970 is outside the years 1 to 9999";
    if (!form.finer.empty()) message += "; is the format " + std::string(form.finer) + "?";
    return InvalidError(std::move(message));
  }
  return micros;
}

// The number of units with as many fraction digits as needed: every microsecond reads back.
void AppendUnits(int64_t micros, int64_t unit_micros, int fraction_digits, std::string* out) {
  uint64_t size = static_cast<uint64_t>(micros);
  if (micros < 0) {
    out->push_back('-');
    size = uint64_t{0} - size;
  }
  const auto unit = static_cast<uint64_t>(unit_micros);
  AppendPadded(static_cast<int64_t>(size / unit), 1, out);
  if (size % unit == 0) return;
  out->push_back('.');
  AppendPadded(static_cast<int64_t>(size % unit), fraction_digits, out);
  while (out->back() == '0') out->pop_back();
}

inline void PutTwoDigits(int value, char* at) {
  at[0] = static_cast<char>('0' + value / 10);
  at[1] = static_cast<char>('0' + value % 10);
}

void AppendRfc3339(int64_t micros, std::string* out) {
  if (micros < kMinTimestampMicros || micros > kMaxTimestampMicros) {
    out->append(FormatRfc3339(TimePoint(Duration(micros))));
    return;
  }
  const CivilTime civil = ToCivil(micros);
  char text[] = "0000-00-00T00:00:00.000000Z";
  PutTwoDigits(static_cast<int>(civil.year / 100), text);
  PutTwoDigits(static_cast<int>(civil.year % 100), text + 2);
  PutTwoDigits(civil.month, text + 5);
  PutTwoDigits(civil.day, text + 8);
  PutTwoDigits(civil.hour, text + 11);
  PutTwoDigits(civil.minute, text + 14);
  PutTwoDigits(civil.second, text + 17);
  PutTwoDigits(civil.micros / 10'000, text + 20);
  PutTwoDigits(civil.micros / 100 % 100, text + 22);
  PutTwoDigits(civil.micros % 100, text + 24);
  const size_t size = civil.micros == 0 ? 19 : (civil.micros % 1000 == 0 ? 23 : 26);
  text[size] = 'Z';
  out->append(text, size + 1);
}

}  // namespace

// The common form, "YYYY-MM-DDTHH:MM:SS[.f]Z". False for everything else, which is left to
// ParseRfc3339.
inline bool ParsePlainRfc3339(std::string_view text, int64_t* micros) {
  if (text.size() < kPlainRfc3339Bytes) return false;
  const char* at = text.data();
  uint64_t bad = 0;
  const uint64_t date = DigitPairs(at, DigitShape("0000-00-"), &bad);
  const uint64_t middle = DigitPairs(at + 8, DigitShape("00T00:00"), &bad);
  const uint64_t time = DigitPairs(at + 11, DigitShape("00:00:00"), &bad);
  const int year = ByteOf(date, 0) * 100 + ByteOf(date, 2);
  const int month = ByteOf(date, 5);
  const int day = ByteOf(middle, 0);
  const int hour = ByteOf(time, 0);
  const int minute = ByteOf(time, 3);
  const int second = ByteOf(time, 6);
  if (bad != 0 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
    return false;
  if (day > 28 && day > DaysInMonth(year, month)) return false;
  int64_t fraction = 0;
  if (at[19] != 'Z' || text.size() != kPlainRfc3339Bytes) {
    fraction = FractionMicros(text.substr(19));
    if (fraction < 0) return false;
  }
  const int64_t seconds =
      DaysFromCivil(year, month, day) * kSecondsPerDay + hour * 3600 + minute * 60 + second;
  *micros = seconds * kMicrosPerSecond + fraction;
  return true;
}

bool ParsePlainTimestamp(api::TimestampKind kind, std::string_view text, int64_t* micros) {
  constexpr size_t kMaxDigits = 15;
  if (kind == api::TimestampKind::kRfc3339) return ParsePlainRfc3339(text, micros);
  if (kind == api::TimestampKind::kStrptime || text.empty() || text.size() > kMaxDigits)
    return false;
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + (c - '0');
  }
  const int64_t unit = kScales[FormOf(kind).digits];
  if (value > kMaxTimestampMicros / unit) return false;
  *micros = value * unit;
  return true;
}

Result<int64_t> ParseTimestampMicros(const api::TimestampFormat& format, std::string_view text) {
  switch (format.kind) {
    case api::TimestampKind::kRfc3339: {
      int64_t micros = 0;
      if (ParsePlainRfc3339(text, &micros)) return micros;
      if (!HasRfc3339Shape(text)) {
        return InvalidError("\"" + Excerpt(text) +
                            "\" is not an RFC 3339 time; use for example 2024-06-01T00:00:00Z");
      }
      ASSIGN_OR_RETURN(const TimePoint time, ParseRfc3339(text));
      return time.time_since_epoch().count();
    }
    case api::TimestampKind::kUnixSeconds:
    case api::TimestampKind::kUnixMillis:
    case api::TimestampKind::kUnixMicros:
      return ParseUnix(format.kind, text);
    case api::TimestampKind::kStrptime:
      break;
  }
  return ParseTimeLayout(format.layout, text);
}

void AppendTimestamp(const api::TimestampFormat& format, int64_t micros, std::string* out) {
  switch (format.kind) {
    case api::TimestampKind::kRfc3339:
      break;
    case api::TimestampKind::kUnixSeconds:
      AppendUnits(micros, 1'000'000, 6, out);
      return;
    case api::TimestampKind::kUnixMillis:
      AppendUnits(micros, 1'000, 3, out);
      return;
    case api::TimestampKind::kUnixMicros:
      AppendUnits(micros, 1, 1, out);
      return;
    case api::TimestampKind::kStrptime:
      // Layouts are checked before the job starts, so this cannot fail.
      if (AppendTimeLayout(format.layout, micros, ZoneOffset(), out).ok()) return;
      break;
  }
  AppendRfc3339(micros, out);
}

}  // namespace millrace::worker
