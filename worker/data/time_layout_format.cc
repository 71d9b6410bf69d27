#include "worker/data/civil_time.h"
#include "worker/data/format.h"
#include "worker/data/time_layout.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kDirectives = "YmdHMSfjbBaAyepIszZFT%";

void AppendYear(int64_t year, std::string* out) {
  if (year < 0) out->push_back('-');
  AppendPadded(year < 0 ? -year : year, 4, out);
}

void AppendOffset(int32_t seconds, std::string* out) {
  out->push_back(seconds < 0 ? '-' : '+');
  const int32_t minutes = (seconds < 0 ? -seconds : seconds) / 60;
  AppendPadded(minutes / 60, 2, out);
  AppendPadded(minutes % 60, 2, out);
}

void AppendDate(const CivilTime& civil, std::string* out) {
  AppendYear(civil.year, out);
  out->push_back('-');
  AppendPadded(civil.month, 2, out);
  out->push_back('-');
  AppendPadded(civil.day, 2, out);
}

void AppendClock(const CivilTime& civil, std::string* out) {
  AppendPadded(civil.hour, 2, out);
  out->push_back(':');
  AppendPadded(civil.minute, 2, out);
  out->push_back(':');
  AppendPadded(civil.second, 2, out);
}

// Appends one directive; false when there is no such directive.
bool AppendDirective(char directive, const CivilTime& civil, int64_t micros, const ZoneOffset& zone,
                     std::string* out) {
  switch (directive) {
    case 'Y':
      AppendYear(civil.year, out);
      return true;
    case 'm':
      AppendPadded(civil.month, 2, out);
      return true;
    case 'd':
      AppendPadded(civil.day, 2, out);
      return true;
    case 'e':
      AppendPadded(civil.day, 2, out, ' ');
      return true;
    case 'H':
      AppendPadded(civil.hour, 2, out);
      return true;
    case 'I':
      AppendPadded((civil.hour + 11) % 12 + 1, 2, out);
      return true;
    case 'M':
      AppendPadded(civil.minute, 2, out);
      return true;
    case 'S':
      AppendPadded(civil.second, 2, out);
      return true;
    case 'f':
      AppendPadded(civil.micros, 6, out);
      return true;
    case 'j':
      AppendPadded(civil.year_day, 3, out);
      return true;
    case 'y':
      AppendPadded((civil.year % 100 + 100) % 100, 2, out);
      return true;
    case 'b':
      *out += kMonthNames[static_cast<size_t>(civil.month - 1)].substr(0, 3);
      return true;
    case 'B':
      *out += kMonthNames[static_cast<size_t>(civil.month - 1)];
      return true;
    case 'a':
      *out += kWeekdayNames[static_cast<size_t>(civil.weekday)].substr(0, 3);
      return true;
    case 'A':
      *out += kWeekdayNames[static_cast<size_t>(civil.weekday)];
      return true;
    case 'p':
      *out += civil.hour < 12 ? "AM" : "PM";
      return true;
    case 's':
      *out += std::to_string(FloorDivide(micros, kMicrosPerSecond));
      return true;
    case 'z':
      AppendOffset(zone.seconds, out);
      return true;
    case 'Z':
      *out += zone.abbreviation;
      return true;
    case 'F':
      AppendDate(civil, out);
      return true;
    case 'T':
      AppendClock(civil, out);
      return true;
    case '%':
      out->push_back('%');
      return true;
    default:
      return false;
  }
}

}  // namespace

Status UnknownDirective(std::string_view layout, size_t at) {
  std::string known;
  for (const char c : kDirectives) known += std::string(known.empty() ? "%" : " %") + c;
  const std::string found = at + 1 < layout.size()
                                ? "unknown directive " + std::string(layout.substr(at, 2))
                                : "a lone %";
  return InvalidError("time layout \"" + std::string(layout) + "\": " + found + " at byte " +
                      std::to_string(at) + "; known are " + known);
}

Status CheckTimeLayout(std::string_view layout) {
  for (size_t i = 0; i < layout.size(); ++i) {
    if (layout[i] != '%') continue;
    if (i + 1 == layout.size() || kDirectives.find(layout[i + 1]) == std::string_view::npos)
      return UnknownDirective(layout, i);
    ++i;
  }
  return OkStatus();
}

Status AppendTimeLayout(std::string_view layout, int64_t micros, const ZoneOffset& zone,
                        std::string* out) {
  // At the very ends of the range, 290,000 years away, a zone could overflow: UTC is shown there.
  int64_t local = 0;
  if (__builtin_add_overflow(micros, zone.seconds * kMicrosPerSecond, &local)) local = micros;
  const CivilTime civil = ToCivil(local);
  for (size_t i = 0; i < layout.size(); ++i) {
    if (layout[i] != '%') {
      out->push_back(layout[i]);
      continue;
    }
    if (i + 1 == layout.size() || !AppendDirective(layout[i + 1], civil, micros, zone, out))
      return UnknownDirective(layout, i);
    ++i;
  }
  return OkStatus();
}

Result<std::string> FormatTimeLayout(std::string_view layout, int64_t micros,
                                     std::string_view zone) {
  ASSIGN_OR_RETURN(const ZoneOffset offset, ZoneOffsetAt(zone, micros));
  std::string out;
  RETURN_IF_ERROR(AppendTimeLayout(layout, micros, offset, &out));
  return out;
}

}  // namespace millrace::worker
