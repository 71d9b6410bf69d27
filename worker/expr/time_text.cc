#include "worker/expr/time_text.h"

#include <array>
#include <utility>

#include "worker/data/civil_time.h"

namespace millrace::worker {
namespace {

__extension__ typedef __int128 Wide;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Reads exactly `count` digits off the front of `text`.
bool TakeDigits(std::string_view* text, size_t count, int* value) {
  if (text->size() < count) return false;
  *value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) return false;
    *value = *value * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(count);
  return true;
}

bool TakeChar(std::string_view* text, std::string_view any_of) {
  if (text->empty() || any_of.find(text->front()) == std::string_view::npos) return false;
  text->remove_prefix(1);
  return true;
}

bool TakeFraction(std::string_view* text, int64_t* nanos) {
  int64_t unit = kNanosPerSecond / 10;
  if (text->empty() || !IsDigit(text->front())) return false;
  for (; !text->empty() && IsDigit(text->front()); unit /= 10) {
    if (unit == 0) return false;
    *nanos += unit * (text->front() - '0');
    text->remove_prefix(1);
  }
  return true;
}

// "Z", "+02:00": seconds east of UTC.
bool TakeOffset(std::string_view* text, int64_t* seconds) {
  if (TakeChar(text, "Zz")) return true;
  const bool west = !text->empty() && text->front() == '-';
  int hours = 0;
  int minutes = 0;
  if (!TakeChar(text, "+-") || !TakeDigits(text, 2, &hours) || !TakeChar(text, ":") ||
      !TakeDigits(text, 2, &minutes) || hours > 23 || minutes > 59) {
    return false;
  }
  *seconds = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
  return true;
}

// Appends ".5" for 500000000.
void AppendFraction(int64_t nanos, std::string* out) {
  if (nanos == 0) return;
  out->push_back('.');
  AppendPadded(nanos, 9, out);
  while (out->back() == '0') out->pop_back();
}

struct DurationUnit {
  std::string_view name;
  int64_t nanos;
};
constexpr DurationUnit kDurationUnits[] = {
    {"ns", 1},
    {"us", 1000},
    {"\u00b5s", 1000},
    {"\u03bcs", 1000},
    {"ms", 1'000'000},
    {"s", kNanosPerSecond},
    {"m", 60LL * kNanosPerSecond},
    {"h", 3600LL * kNanosPerSecond},
};

// One "1.5h" off the front of `text`, added to `nanos`.
bool TakeDurationPart(std::string_view* text, Wide* nanos) {
  Wide whole = 0;
  Wide fraction = 0;
  Wide scale = 1;
  bool digits = false;
  for (; !text->empty() && IsDigit(text->front()); text->remove_prefix(1), digits = true) {
    whole = whole * 10 + (text->front() - '0');
    if (whole > Wide{INT64_MAX}) return false;
  }
  if (TakeChar(text, ".")) {
    for (; !text->empty() && IsDigit(text->front()); text->remove_prefix(1), digits = true) {
      if (scale >= Wide{1'000'000'000'000'000}) continue;
      fraction = fraction * 10 + (text->front() - '0');
      scale *= 10;
    }
  }
  if (!digits) return false;
  const DurationUnit* unit = nullptr;
  for (const DurationUnit& candidate : kDurationUnits) {
    if (text->starts_with(candidate.name) &&
        (unit == nullptr || candidate.name.size() > unit->name.size())) {
      unit = &candidate;
    }
  }
  if (unit == nullptr) return false;
  text->remove_prefix(unit->name.size());
  *nanos += whole * unit->nanos + fraction * unit->nanos / scale;
  return *nanos <= Wide{INT64_MAX};
}

}  // namespace

std::optional<Value> TimestampInRange(int64_t seconds, int64_t nanos) {
  seconds += FloorDivide(nanos, kNanosPerSecond);
  nanos -= FloorDivide(nanos, kNanosPerSecond) * kNanosPerSecond;
  if (seconds < kMinTimestampSeconds || seconds > kMaxTimestampSeconds) return std::nullopt;
  return Value::Timestamp(seconds, static_cast<int32_t>(nanos));
}

std::optional<Value> DurationInRange(int64_t seconds, int64_t nanos) {
  const Wide total = Wide{seconds} * kNanosPerSecond + nanos;
  if (total > Wide{INT64_MAX} || total < Wide{INT64_MIN}) return std::nullopt;
  const auto all = static_cast<int64_t>(total);
  const int64_t floor = FloorDivide(all, kNanosPerSecond);
  return Value::Duration(floor, static_cast<int32_t>(total - Wide{floor} * kNanosPerSecond));
}

std::optional<Value> ParseTimestampText(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int64_t nanos = 0;
  int64_t offset = 0;
  if (!TakeDigits(&text, 4, &year) || !TakeChar(&text, "-") || !TakeDigits(&text, 2, &month) ||
      !TakeChar(&text, "-") || !TakeDigits(&text, 2, &day) || !TakeChar(&text, "Tt") ||
      !TakeDigits(&text, 2, &hour) || !TakeChar(&text, ":") || !TakeDigits(&text, 2, &minute) ||
      !TakeChar(&text, ":") || !TakeDigits(&text, 2, &second)) {
    return std::nullopt;
  }
  if (TakeChar(&text, ".") && !TakeFraction(&text, &nanos)) return std::nullopt;
  if (!TakeOffset(&text, &offset) || !text.empty()) return std::nullopt;
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month) || hour > 23 ||
      minute > 59 || second > 59) {
    return std::nullopt;
  }
  const int64_t seconds =
      DaysFromCivil(year, month, day) * kSecondsPerDay + hour * 3600 + minute * 60 + second;
  return TimestampInRange(seconds - offset, nanos);
}

std::optional<Value> ParseDurationText(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  TakeChar(&text, "+-");
  if (text == "0") return Value::Duration(0, 0);
  if (text.empty()) return std::nullopt;
  Wide nanos = 0;
  while (!text.empty()) {
    if (!TakeDurationPart(&text, &nanos)) return std::nullopt;
  }
  return DurationInRange(0, static_cast<int64_t>(negative ? -nanos : nanos));
}

std::string TimestampText(const Value& timestamp) {
  const CivilTime civil = ToCivil(timestamp.seconds() * kMicrosPerSecond);
  std::string text;
  AppendPadded(civil.year, 4, &text);
  const std::pair<char, int> parts[] = {{'-', civil.month},
                                        {'-', civil.day},
                                        {'T', civil.hour},
                                        {':', civil.minute},
                                        {':', civil.second}};
  for (const auto& [separator, number] : parts) {
    text.push_back(separator);
    AppendPadded(number, 2, &text);
  }
  AppendFraction(timestamp.nanos(), &text);
  text.push_back('Z');
  return text;
}

std::string DurationText(const Value& duration) {
  int64_t seconds = duration.seconds();
  int64_t nanos = duration.nanos();
  std::string text;
  if (seconds < 0) {
    text.push_back('-');
    seconds = -seconds;
    if (nanos > 0) {
      --seconds;
      nanos = kNanosPerSecond - nanos;
    }
  }
  AppendPadded(seconds, 1, &text);
  AppendFraction(nanos, &text);
  text.push_back('s');
  return text;
}

Value TimestampOfMicros(int64_t micros) {
  const int64_t seconds = FloorDivide(micros, kMicrosPerSecond);
  return Value::Timestamp(seconds,
                          static_cast<int32_t>(micros - seconds * kMicrosPerSecond) * 1000);
}

Value DurationOfMicros(int64_t micros) {
  const int64_t seconds = FloorDivide(micros, kMicrosPerSecond);
  return Value::Duration(seconds, static_cast<int32_t>(micros - seconds * kMicrosPerSecond) * 1000);
}

bool ToMicros(const Value& time, int64_t* micros) {
  return !__builtin_mul_overflow(time.seconds(), kMicrosPerSecond, micros) &&
         !__builtin_add_overflow(*micros, int64_t{time.nanos() / 1000}, micros);
}

}  // namespace millrace::worker
