#include <optional>

#include "crds/base/text.h"
#include "worker/data/civil_time.h"
#include "worker/data/format.h"
#include "worker/data/time_layout.h"

namespace millrace::worker {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// What the directives of one text said; values are within their own ranges, the date as a whole is
// checked by ToMicros.
struct TimeParts {
  std::optional<int64_t> year, epoch_seconds;
  std::optional<int> month, day, year_day;
  int hour = 0, minute = 0, second = 0, micros = 0;
  int hour12 = -1;
  bool afternoon = false;
  int32_t offset_seconds = 0;
};

class LayoutReader {
 public:
  LayoutReader(std::string_view layout, std::string_view text) : layout_(layout), text_(text) {}

  Result<TimeParts> Read() {
    for (size_t i = 0; i < layout_.size(); ++i) {
      const char c = layout_[i];
      if (c != '%') {
        if (!(IsSpace(c) ? SkipSpace() : Take(c))) return Mismatch();
        continue;
      }
      if (i + 1 == layout_.size()) return UnknownDirective(layout_, i);
      const Found found = Directive(layout_[i + 1]);
      if (found == Found::kUnknown) return UnknownDirective(layout_, i);
      if (found == Found::kNo) return Mismatch();
      ++i;
    }
    if (at_ != text_.size()) return Mismatch();
    return parts_;
  }
  Status Mismatch(std::string_view why = {}) const {
    std::string message =
        "\"" + Excerpt(text_) + "\" is not a time of the form \"" + std::string(layout_) + "\"";
    if (!why.empty()) message += ": " + std::string(why);
    return InvalidError(std::move(message));
  }

 private:
  enum class Found { kYes, kNo, kUnknown };
  static Found FoundIf(bool yes) { return yes ? Found::kYes : Found::kNo; }

  bool Take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool SkipSpace() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
    return true;
  }
  bool Number(int max_digits, int64_t low, int64_t high, int64_t* value) {
    const size_t begin = at_;
    *value = 0;
    while (at_ < text_.size() && at_ - begin < static_cast<size_t>(max_digits) &&
           IsDigit(text_[at_]))
      *value = *value * 10 + (text_[at_++] - '0');
    return at_ > begin && *value >= low && *value <= high;
  }
  template <typename T>
  Found Store(int max_digits, int64_t low, int64_t high, T* field) {
    int64_t value = 0;
    if (!Number(max_digits, low, high, &value)) return Found::kNo;
    *field = static_cast<int>(value);
    return Found::kYes;
  }
  // The full name or its first three letters, in any case. Returns its index from 0, -1 for none.
  template <size_t kCount>
  int Name(const std::array<std::string_view, kCount>& names) {
    for (size_t i = 0; i < kCount; ++i) {
      for (const size_t size : {names[i].size(), size_t{3}}) {
        if (TakeLetters(names[i].substr(0, size))) return static_cast<int>(i);
      }
    }
    return -1;
  }
  bool TakeLetters(std::string_view letters) {
    if (text_.size() - at_ < letters.size()) return false;
    for (size_t i = 0; i < letters.size(); ++i) {
      if (Lower(text_[at_ + i]) != Lower(letters[i])) return false;
    }
    at_ += letters.size();
    return true;
  }

  bool Year() {
    int64_t year = 0;
    if (!Number(4, 0, 9999, &year)) return false;
    parts_.year = year;
    return true;
  }
  bool ShortYear() {
    int64_t year = 0;
    if (!Number(2, 0, 99, &year)) return false;
    parts_.year = year < 69 ? 2000 + year : 1900 + year;  // as POSIX says
    return true;
  }
  bool Month() {
    const int month = Name(kMonthNames);
    if (month >= 0) parts_.month = month + 1;
    return month >= 0;
  }
  bool Fraction() {
    int digits = 0;
    int micros = 0;
    for (; at_ < text_.size() && IsDigit(text_[at_]); ++digits, ++at_) {
      if (digits < 6) micros = micros * 10 + (text_[at_] - '0');
    }
    for (int i = digits; i < 6; ++i) micros *= 10;
    parts_.micros = micros;
    return digits > 0 && digits <= 9;
  }
  bool HalfOfDay() {
    parts_.afternoon = at_ < text_.size() && Lower(text_[at_]) == 'p';
    return TakeLetters(parts_.afternoon ? "PM" : "AM");
  }
  bool EpochSeconds() {
    const bool negative = Take('-');
    int64_t seconds = 0;
    if (!Number(12, 0, kMaxTimestampMicros / kMicrosPerSecond, &seconds)) return false;
    parts_.epoch_seconds = negative ? -seconds : seconds;
    return true;
  }
  // Z, +02, +0200, +02:00.
  bool Offset() {
    if (Take('Z') || Take('z')) return true;
    const bool west = at_ < text_.size() && text_[at_] == '-';
    if (!Take(west ? '-' : '+')) return false;
    const size_t begin = at_;
    int64_t hours = 0;
    if (!Number(2, 0, 23, &hours) || at_ - begin != 2) return false;
    int64_t minutes = 0;
    const bool colon = Take(':');
    if (at_ < text_.size() && IsDigit(text_[at_])) {
      const size_t minutes_at = at_;
      if (!Number(2, 0, 59, &minutes) || at_ - minutes_at != 2) return false;
    } else if (colon) {
      return false;
    }
    parts_.offset_seconds = static_cast<int32_t>((west ? -1 : 1) * (hours * 3600 + minutes * 60));
    return true;
  }
  // Other abbreviations are ambiguous ("IST" names three zones).
  bool ZoneName() { return TakeLetters("UTC") || TakeLetters("GMT") || TakeLetters("Z"); }

  Found Directive(char directive) {
    switch (directive) {
      case 'Y':
        return FoundIf(Year());
      case 'y':
        return FoundIf(ShortYear());
      case 'm':
        return Store(2, 1, 12, &parts_.month);
      case 'e':
        SkipSpace();
        [[fallthrough]];
      case 'd':
        return Store(2, 1, 31, &parts_.day);
      case 'j':
        return Store(3, 1, 366, &parts_.year_day);
      case 'H':
        return Store(2, 0, 23, &parts_.hour);
      case 'I':
        return Store(2, 1, 12, &parts_.hour12);
      case 'M':
        return Store(2, 0, 59, &parts_.minute);
      case 'S':
        return Store(2, 0, 60, &parts_.second);
      case 'f':
        return FoundIf(Fraction());
      case 'b':
      case 'B':
        return FoundIf(Month());
      case 'a':
      case 'A':
        return FoundIf(Name(kWeekdayNames) >= 0);
      case 'p':
        return FoundIf(HalfOfDay());
      case 's':
        return FoundIf(EpochSeconds());
      case 'z':
        return FoundIf(Offset());
      case 'Z':
        return FoundIf(ZoneName());
      case 'F':
        return FoundIf(Year() && Take('-') && Directive('m') == Found::kYes && Take('-') &&
                       Directive('d') == Found::kYes);
      case 'T':
        return FoundIf(Directive('H') == Found::kYes && Take(':') &&
                       Directive('M') == Found::kYes && Take(':') && Directive('S') == Found::kYes);
      case '%':
        return FoundIf(Take('%'));
      default:
        return Found::kUnknown;
    }
  }

  std::string_view layout_;
  std::string_view text_;
  size_t at_ = 0;
  TimeParts parts_;
};

// Days since the epoch, or nothing for a date that does not exist. Parts that the layout leaves out
// are those of 1970-01-01.
std::optional<int64_t> DaysOf(const TimeParts& parts) {
  const int64_t year = parts.year.value_or(1970);
  if (parts.year_day && !parts.month && !parts.day) {
    if (*parts.year_day > (IsLeapYear(year) ? 366 : 365)) return std::nullopt;
    return DaysFromCivil(year, 1, 1) + *parts.year_day - 1;
  }
  const int month = parts.month.value_or(1);
  const int day = parts.day.value_or(1);
  if (day > DaysInMonth(year, month)) return std::nullopt;
  return DaysFromCivil(year, month, day);
}

}  // namespace

// A leap second (:60) is the first instant of the next minute, as in RFC 3339 texts.
Result<int64_t> ParseTimeLayout(std::string_view layout, std::string_view text) {
  LayoutReader reader(layout, text);
  ASSIGN_OR_RETURN(const TimeParts parts, reader.Read());
  if (parts.epoch_seconds) return *parts.epoch_seconds * kMicrosPerSecond + parts.micros;
  const std::optional<int64_t> days = DaysOf(parts);
  if (!days) return reader.Mismatch("there is no such day");
  const int hour = parts.hour12 < 0 ? parts.hour : parts.hour12 % 12 + (parts.afternoon ? 12 : 0);
  const int64_t seconds = *days * kSecondsPerDay + hour * 3600 + parts.minute * 60 + parts.second -
                          parts.offset_seconds;
  return seconds * kMicrosPerSecond + parts.micros;
}

}  // namespace millrace::worker
