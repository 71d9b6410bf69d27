#include <array>
#include <cmath>
#include <limits>

#include "crds/base/text.h"

namespace millrace {
namespace {

__extension__ typedef __int128 Int128;  // sums cannot overflow before they are checked

constexpr std::string_view kDurationExamples =
    "use units ms, s, m or h, for example 500ms, 1m30s or 24h";
constexpr int64_t kMaxSeconds = int64_t{10'000} * 365 * 86'400;

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};
// Longer names first where one is a prefix of another.
constexpr std::array kUnits{Unit{"ns", 1},
                            Unit{"us", 1'000},
                            Unit{"\xC2\xB5s", 1'000},
                            Unit{"\xCE\xBCs", 1'000},
                            Unit{"ms", 1'000'000},
                            Unit{"s", 1'000'000'000},
                            Unit{"m", 60'000'000'000},
                            Unit{"h", 3'600'000'000'000}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

const Unit* FindUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

Status BadDuration(std::string_view text, std::string_view why) {
  return InvalidError("\"" + Excerpt(text) + "\" is not a duration" + std::string(why) + "; " +
                      std::string(kDurationExamples));
}

Status MissingUnit(std::string_view text) {
  if (text.empty() || text.size() > 15 ||
      text.find_first_not_of("0123456789") != std::string_view::npos) {
    return BadDuration(text, ": a unit is missing");
  }
  return InvalidError("\"" + std::string(text) + "\" is not a duration: a unit is missing; write " +
                      std::string(text) + "s for seconds or " + std::string(text) +
                      "ms for milliseconds");
}

Status WrongUnit(std::string_view text, std::string_view number, std::string_view unit) {
  const bool days = unit == "d" && number.size() + 1 == text.size() && number.size() < 8 &&
                    number.find('.') == std::string_view::npos;
  if (days) {
    return InvalidError("\"" + Excerpt(text) +
                        "\" is not a duration: there is no unit \"d\"; write " +
                        std::to_string(std::stoll(std::string(number)) * 24) + "h");
  }
  return BadDuration(text, ": there is no unit \"" + Excerpt(unit, 16) + "\"");
}

struct Number {
  int64_t whole = 0;
  double fraction = 0;
  size_t size = 0;  // 0: no number
  bool overflow = false;
};

Number ParseNumber(std::string_view text) {
  Number number;
  size_t digits = 0;
  size_t i = 0;
  for (; i < text.size() && IsDigit(text[i]); ++i, ++digits) {
    if (number.whole > std::numeric_limits<int64_t>::max() / 10 - 1) number.overflow = true;
    if (!number.overflow) number.whole = number.whole * 10 + (text[i] - '0');
  }
  if (i < text.size() && text[i] == '.') {
    double scale = 0.1;
    for (++i; i < text.size() && IsDigit(text[i]); ++i, ++digits, scale /= 10) {
      number.fraction += scale * (text[i] - '0');
    }
  }
  number.size = digits == 0 ? 0 : i;
  return number;
}

std::string FractionOf(int64_t micros, int64_t unit) {
  std::string digits = std::to_string(unit + micros % unit).substr(1);
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  return std::to_string(micros / unit) + (digits.empty() ? "" : "." + digits);
}

}  // namespace

Result<Duration> ParseDuration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return Duration(0);
  if (rest.empty()) return BadDuration(text, "");
  Int128 nanoseconds = 0;
  while (!rest.empty()) {
    const Number number = ParseNumber(rest);
    if (number.size == 0) return BadDuration(text, "");
    const std::string_view digits = rest.substr(0, number.size);
    rest.remove_prefix(number.size);
    size_t unit_size = 0;
    while (unit_size < rest.size() && !IsDigit(rest[unit_size]) && rest[unit_size] != '.')
      ++unit_size;
    if (unit_size == 0) return MissingUnit(text);
    const Unit* unit = FindUnit(rest.substr(0, unit_size));
    if (unit == nullptr) return WrongUnit(text, digits, rest.substr(0, unit_size));
    rest.remove_prefix(unit_size);
    nanoseconds += static_cast<Int128>(number.whole) * unit->nanoseconds +
                   std::llround(number.fraction * static_cast<double>(unit->nanoseconds));
    if (number.overflow || nanoseconds > static_cast<Int128>(kMaxSeconds) * 1'000'000'000) {
      return InvalidError("\"" + Excerpt(text) + "\" is longer than 10,000 years");
    }
  }
  const auto micros = static_cast<int64_t>(nanoseconds / 1000);
  return Duration(negative ? -micros : micros);
}

std::string FormatDuration(Duration duration) {
  int64_t micros = duration.count();
  if (micros == 0) return "0s";
  if (micros == std::numeric_limits<int64_t>::min()) ++micros;
  std::string text = micros < 0 ? "-" : "";
  if (micros < 0) micros = -micros;
  if (micros < 1'000) return text + std::to_string(micros) + "us";
  if (micros < 1'000'000) return text + FractionOf(micros, 1'000) + "ms";
  constexpr int64_t kMinute = 60'000'000;
  constexpr int64_t kHour = 60 * kMinute;
  if (micros >= kHour) text += std::to_string(micros / kHour) + "h";
  if (micros % kHour >= kMinute) text += std::to_string(micros % kHour / kMinute) + "m";
  if (micros % kMinute != 0) text += FractionOf(micros % kMinute, 1'000'000) + "s";
  return text;
}

Result<int64_t> ParseQuantityMilli(std::string_view text) {
  struct Suffix {
    std::string_view name;
    double milli;
  };
  constexpr std::array kSuffixes{Suffix{"", 1e3},
                                 Suffix{"m", 1},
                                 Suffix{"k", 1e6},
                                 Suffix{"M", 1e9},
                                 Suffix{"G", 1e12},
                                 Suffix{"T", 1e15},
                                 Suffix{"P", 1e18},
                                 Suffix{"Ki", 1024e3},
                                 Suffix{"Mi", 1048576e3},
                                 Suffix{"Gi", 1073741824e3},
                                 Suffix{"Ti", 1099511627776e3},
                                 Suffix{"Pi", 1125899906842624e3}};
  const Number number = ParseNumber(text);
  const std::string_view name = text.substr(number.size);
  if (number.size == 0 || number.overflow) {
    return InvalidError("\"" + Excerpt(text) +
                        "\" is not a quantity; use for example 500m, 2, 64Mi or 1G");
  }
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.name != name) continue;
    const double scaled = number.fraction * suffix.milli;
    const Int128 milli = static_cast<Int128>(number.whole) * static_cast<int64_t>(suffix.milli) +
                         static_cast<Int128>(std::ceil(scaled - 1e-6));
    if (milli > std::numeric_limits<int64_t>::max()) {
      return InvalidError("\"" + Excerpt(text) + "\" is too large");
    }
    return static_cast<int64_t>(milli);
  }
  return InvalidError("\"" + Excerpt(text) + "\" is not a quantity: there is no suffix \"" +
                      Excerpt(name, 16) + "\"; use m, k, M, G, T, Ki, Mi, Gi or Ti");
}

}  // namespace millrace
