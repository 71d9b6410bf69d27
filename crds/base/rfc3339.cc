#include <cstdio>

#include "crds/base/text.h"

namespace millrace {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

// Reads fixed-width fields from the front of a text. After the first fault ok() is false.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  int Digits(size_t count) {
    int value = 0;
    if (rest_.size() < count) ok_ = false;
    for (size_t i = 0; ok_ && i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') ok_ = false;
      value = value * 10 + (rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(count);
    return ok_ ? value : 0;
  }
  bool Take(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void Expect(std::string_view any_of) { ok_ = Take(any_of) && ok_; }
  char Peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  void Fail() { ok_ = false; }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

int64_t ParseFractionMicros(Scanner* scanner) {
  if (!scanner->Take(".,")) return 0;
  int64_t micros = 0;
  int64_t scale = 100'000;
  bool any = false;
  while (scanner->ok() && scanner->Peek() >= '0' && scanner->Peek() <= '9') {
    micros += scale * scanner->Digits(1);
    scale /= 10;
    any = true;
  }
  if (!any) scanner->Fail();
  return micros;
}

int ParseOffsetMinutes(Scanner* scanner) {
  if (scanner->Take("Zz")) return 0;
  const bool west = scanner->Peek() == '-';
  scanner->Expect("+-");
  const int hours = scanner->Digits(2);
  scanner->Expect(":");
  const int minutes = scanner->Digits(2);
  if (hours > 23 || minutes > 59) scanner->Fail();
  return (west ? -1 : 1) * (hours * 60 + minutes);
}

}  // namespace

std::string FormatRfc3339(TimePoint time) {
  const sys_days day = std::chrono::floor<days>(time);
  const year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char buffer[64];
  int size = std::snprintf(
      buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  std::string text(buffer, static_cast<size_t>(size));
  const auto micros = static_cast<int>(clock.subseconds().count());
  if (micros != 0) {
    const bool millis = micros % 1000 == 0;
    size = std::snprintf(buffer, sizeof buffer, millis ? ".%03d" : ".%06d",
                         millis ? micros / 1000 : micros);
    text.append(buffer, static_cast<size_t>(size));
  }
  return text + "Z";
}

Result<TimePoint> ParseRfc3339(std::string_view text) {
  Scanner scanner(text);
  const int year = scanner.Digits(4);
  scanner.Expect("-");
  const int month = scanner.Digits(2);
  scanner.Expect("-");
  const int day = scanner.Digits(2);
  scanner.Expect("Tt ");
  const int hour = scanner.Digits(2);
  scanner.Expect(":");
  const int minute = scanner.Digits(2);
  scanner.Expect(":");
  const int second = scanner.Digits(2);
  const int64_t micros = ParseFractionMicros(&scanner);
  const int offset = ParseOffsetMinutes(&scanner);
  const year_month_day date{std::chrono::year(year),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  // A leap second (:60) is taken as the first instant of the next minute.
  if (!scanner.done() || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return InvalidError("\"" + Excerpt(text) +
                        "\" is not an RFC 3339 time; use for example 2024-06-01T00:00:00Z");
  }
  return TimePoint(sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute - offset) + std::chrono::seconds(second) + Duration(micros);
}

}  // namespace millrace
