#include "crds/base/text.h"
#include "worker/data/time_zone.h"

// POSIX.1 "TZ" texts with the extensions of RFC 8536, section 3.3.1:
//   rule   = name offset [name [offset] "," change "," change]
//   name   = 3+ letters, or "<" letters digits + - ">"
//   offset = [+-] hours [":" minutes [":" seconds]]      west of UTC is positive
//   change = ("M" month "." week "." day / "J" day / day) ["/" offset]
namespace millrace::worker {
namespace {

constexpr int kMaxHours = 167;

class RuleScanner {
 public:
  explicit RuleScanner(std::string_view text) : rest_(text) {}

  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void Expect(char c) { ok_ = Take(c) && ok_; }
  bool NextIs(char c) const { return !rest_.empty() && rest_.front() == c; }
  int Number(int low, int high) {
    size_t size = 0;
    int value = 0;
    while (size < rest_.size() && size < 3 && rest_[size] >= '0' && rest_[size] <= '9') {
      value = value * 10 + (rest_[size++] - '0');
    }
    ok_ = ok_ && size > 0 && value >= low && value <= high;
    rest_.remove_prefix(size);
    return ok_ ? value : low;
  }
  std::string Name() {
    const bool quoted = Take('<');
    size_t size = 0;
    while (size < rest_.size() && IsNameByte(rest_[size], quoted)) ++size;
    std::string name(rest_.substr(0, size));
    rest_.remove_prefix(size);
    if (quoted) Expect('>');
    ok_ = ok_ && size >= 3;
    return name;
  }
  int32_t Time() {
    const bool negative = Take('-');
    if (!negative) Take('+');
    int32_t seconds = Number(0, kMaxHours) * 3600;
    if (Take(':')) seconds += Number(0, 59) * 60;
    if (Take(':')) seconds += Number(0, 59);
    return negative ? -seconds : seconds;
  }
  ZoneRule::Change Change() {
    using Form = ZoneRule::Change::Form;
    ZoneRule::Change change;
    if (Take('M')) {
      change.month = Number(1, 12);
      Expect('.');
      change.week = Number(1, 5);
      Expect('.');
      change.day = Number(0, 6);
    } else {
      change.form = Take('J') ? Form::kJulian : Form::kDayOfYear;
      change.day = Number(change.form == Form::kJulian ? 1 : 0, 365);
    }
    if (Take('/')) change.time = Time();
    return change;
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  bool at_end() const { return rest_.empty(); }

 private:
  static bool IsNameByte(char c, bool quoted) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

Result<ZoneRule> ParseZoneRule(std::string_view text) {
  RuleScanner scanner(text);
  ZoneRule rule;
  rule.standard.abbreviation = scanner.Name();
  rule.standard.seconds = -scanner.Time();
  if (!scanner.at_end()) {
    rule.has_daylight = true;
    rule.daylight.abbreviation = scanner.Name();
    rule.daylight.seconds = scanner.NextIs(',') ? rule.standard.seconds + 3600 : -scanner.Time();
    scanner.Expect(',');
    rule.to_daylight = scanner.Change();
    scanner.Expect(',');
    rule.to_standard = scanner.Change();
  }
  if (!scanner.done())
    return InvalidError("\"" + Excerpt(text) + "\" is not a POSIX time zone rule");
  return rule;
}

}  // namespace millrace::worker
