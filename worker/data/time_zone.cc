#include "worker/data/time_zone.h"

#include <algorithm>
#include <map>

#include "crds/base/file.h"
#include "crds/base/text.h"
#include "worker/data/civil_time.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kZoneFolder = "/usr/share/zoneinfo/";
constexpr size_t kMaxZoneBytes = 256 << 10;
constexpr size_t kHeaderBytes = 44;

// Big-endian numbers of TZif data; zero past the end.
class ZoneBytes {
 public:
  explicit ZoneBytes(std::string_view bytes) : bytes_(bytes) {}

  uint64_t Read(size_t at, size_t size) const {
    uint64_t value = 0;
    for (size_t i = 0; i < size && at + i < bytes_.size(); ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    }
    return value;
  }
  std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
};

// Counts of one header, in the order of RFC 8536, section 3.1.
struct ZoneCounts {
  size_t utc, standard, leap, time, type, name;

  size_t DataBytes(size_t time_bytes) const {
    return time * (time_bytes + 1) + type * 6 + name + leap * (time_bytes + 4) + standard + utc;
  }
};

ZoneCounts CountsAt(const ZoneBytes& bytes, size_t at) {
  const auto count = [&](size_t i) { return static_cast<size_t>(bytes.Read(at + 20 + 4 * i, 4)); };
  return {count(0), count(1), count(2), count(3), count(4), count(5)};
}

// Offset of "+02:00", "-05:30" in seconds; false when `zone` does not have that form.
bool ParseFixedOffset(std::string_view zone, int32_t* seconds) {
  const auto digit = [&](size_t i) { return zone[i] >= '0' && zone[i] <= '9'; };
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || !digit(1) ||
      !digit(2) || !digit(4) || !digit(5)) {
    return false;
  }
  const int hours = (zone[1] - '0') * 10 + (zone[2] - '0');
  const int minutes = (zone[4] - '0') * 10 + (zone[5] - '0');
  if (hours > 23 || minutes > 59) return false;
  *seconds = (zone[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
  return true;
}

// Letters, digits, _ + - and single slashes between parts: what IANA names consist of, and nothing
// that leaves the folder.
bool IsZoneName(std::string_view zone) {
  if (zone.empty() || zone.size() > 64 || zone.front() == '/' || zone.back() == '/') return false;
  if (zone.find("//") != std::string_view::npos) return false;
  return std::all_of(zone.begin(), zone.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '/';
  });
}

Result<TimeZone> LoadZone(const std::string& name) {
  const std::string hint = "; use for example Europe/Berlin, UTC or +02:00";
  if (!IsZoneName(name)) return InvalidError("\"" + Excerpt(name) + "\" is not a time zone" + hint);
  const Result<std::string> bytes = ReadFile(std::string(kZoneFolder) + name, kMaxZoneBytes);
  if (!bytes.ok()) {
    return NotFoundError("no time zone \"" + name + "\" in " + std::string(kZoneFolder) + hint);
  }
  return TimeZone::Parse(*bytes, name);
}

int64_t SecondsOfChange(const ZoneRule::Change& change, int64_t year) {
  using Form = ZoneRule::Change::Form;
  const int64_t new_year = DaysFromCivil(year, 1, 1);
  int64_t day = 0;
  switch (change.form) {
    case Form::kJulian:
      day = new_year + change.day - 1 + (IsLeapYear(year) && change.day > 59 ? 1 : 0);
      break;
    case Form::kDayOfYear:
      day = new_year + change.day;
      break;
    case Form::kMonthWeekDay: {
      const int64_t first = DaysFromCivil(year, change.month, 1);
      const int64_t weekday = ((first + 4) % 7 + 7) % 7;
      day = first + (change.day - weekday + 7) % 7 + (change.week - 1) * 7;
      if (day >= first + DaysInMonth(year, change.month)) day -= 7;
      break;
    }
  }
  return day * kSecondsPerDay + change.time;
}

const ZoneOffset& RuleAt(const ZoneRule& rule, int64_t seconds) {
  if (!rule.has_daylight) return rule.standard;
  const int64_t year = ToCivil((seconds + rule.standard.seconds) * kMicrosPerSecond).year;
  const int64_t start = SecondsOfChange(rule.to_daylight, year) - rule.standard.seconds;
  const int64_t end = SecondsOfChange(rule.to_standard, year) - rule.daylight.seconds;
  const bool daylight =
      start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
  return daylight ? rule.daylight : rule.standard;
}

}  // namespace

Result<TimeZone> TimeZone::Parse(std::string_view data, const std::string& name) {
  const ZoneBytes bytes(data);
  const Status corrupt = InvalidError("time zone " + name + " is not TZif data of version 2 or up");
  if (data.size() < 2 * kHeaderBytes || !data.starts_with("TZif") || data[4] < '2') return corrupt;
  const size_t header = kHeaderBytes + CountsAt(bytes, 0).DataBytes(4);
  if (header + kHeaderBytes > data.size() || !data.substr(header).starts_with("TZif"))
    return corrupt;
  const ZoneCounts counts = CountsAt(bytes, header);
  const size_t times = header + kHeaderBytes;
  const size_t footer = times + counts.DataBytes(8);
  if (footer > data.size() || counts.type == 0 || counts.type > 256) return corrupt;

  TimeZone zone;
  const size_t kinds = times + counts.time * 8;
  const size_t types = kinds + counts.time;
  const std::string_view names = data.substr(types + counts.type * 6, counts.name);
  for (size_t i = 0; i < counts.time; ++i) {
    zone.transitions_.push_back(static_cast<int64_t>(bytes.Read(times + 8 * i, 8)));
    const auto kind = static_cast<uint8_t>(bytes.Read(kinds + i, 1));
    if (kind >= counts.type) return corrupt;
    zone.kinds_.push_back(kind);
  }
  for (size_t i = 0; i < counts.type; ++i) {
    const auto offset = static_cast<int32_t>(bytes.Read(types + 6 * i, 4));
    const size_t at = std::min<size_t>(bytes.Read(types + 6 * i + 5, 1), names.size());
    const std::string_view from = names.substr(at);
    zone.offsets_.push_back({offset, std::string(from.substr(0, from.find('\0')))});
  }
  const std::string_view rule = Trim(data.substr(footer));
  if (!rule.empty()) {
    ASSIGN_OR_RETURN(zone.rule_, ParseZoneRule(rule));
    zone.has_rule_ = true;
  }
  return zone;
}

const ZoneOffset& TimeZone::At(int64_t seconds_since_epoch) const {
  const auto after =
      std::upper_bound(transitions_.begin(), transitions_.end(), seconds_since_epoch);
  if (after == transitions_.end() && has_rule_) return RuleAt(rule_, seconds_since_epoch);
  if (after == transitions_.begin()) return offsets_[0];
  return offsets_[kinds_[static_cast<size_t>(after - transitions_.begin()) - 1]];
}

Result<ZoneOffset> ZoneOffsetAt(std::string_view zone, int64_t micros) {
  if (zone.empty() || zone == "UTC") return ZoneOffset();
  int32_t fixed = 0;
  if (ParseFixedOffset(zone, &fixed)) return ZoneOffset{fixed, std::string(zone)};
  // One per thread, so that no lock stands in the way of a batch; the system has some 600 zones, so
  // it stays small.
  thread_local std::map<std::string, TimeZone, std::less<>> zones;
  auto found = zones.find(zone);
  if (found == zones.end()) {
    ASSIGN_OR_RETURN(TimeZone loaded, LoadZone(std::string(zone)));
    found = zones.emplace(std::string(zone), std::move(loaded)).first;
  }
  return found->second.At(FloorDivide(micros, kMicrosPerSecond));
}

}  // namespace millrace::worker
