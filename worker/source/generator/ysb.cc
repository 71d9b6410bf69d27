#include <array>
#include <cstdio>
#include <string>

#include "worker/source/generator/counter_random.h"
#include "worker/source/generator/preset.h"

// The events of the Yahoo streaming benchmark: 100 campaigns of 10 ads each, a third of the events
// views. Ad number k belongs to campaign k / 10, and the last four digits of an ad_id are k, so
// that a job can do without a table.
namespace millrace::worker {
namespace {

constexpr size_t kAds = 1000;
constexpr size_t kUsers = 100;
constexpr size_t kPages = 100;

enum Draw : uint64_t { kUser, kPage, kAd, kAdType, kEventType };

// "<prefix>-0000-4000-8000-<12 digits>" for every number below `count`.
std::vector<std::string> Ids(const char* prefix, size_t count) {
  std::vector<std::string> ids;
  char text[64];
  for (size_t i = 0; i < count; ++i) {
    std::snprintf(text, sizeof text, "%s-0000-4000-8000-%012zu", prefix, i);
    ids.emplace_back(text);
  }
  return ids;
}

std::string_view Pick(const std::vector<std::string>& from, uint64_t n, Draw draw) {
  return from[Below(RandomBits(n, draw), from.size())];
}

std::string_view UserId(uint64_t n) {
  static const auto* const ids = new std::vector<std::string>(Ids("000000a1", kUsers));
  return Pick(*ids, n, kUser);
}

std::string_view PageId(uint64_t n) {
  static const auto* const ids = new std::vector<std::string>(Ids("000000b2", kPages));
  return Pick(*ids, n, kPage);
}

std::string_view AdId(uint64_t n) {
  static const auto* const ids = new std::vector<std::string>(Ids("000000ad", kAds));
  return Pick(*ids, n, kAd);
}

std::string_view AdType(uint64_t n) {
  static constexpr std::string_view kTypes[] = {"banner", "modal", "sponsored-search", "mail",
                                                "mobile"};
  return kTypes[Below(RandomBits(n, kAdType), std::size(kTypes))];
}

std::string_view EventType(uint64_t n) {
  static constexpr std::string_view kTypes[] = {"view", "click", "purchase"};
  return kTypes[Below(RandomBits(n, kEventType), std::size(kTypes))];
}

std::string_view IpAddress(uint64_t) { return "1.2.3.4"; }

struct Member {
  const char* name;
  std::string_view (*text)(uint64_t n);
};
constexpr Member kMembers[] = {{"user_id", UserId},       {"page_id", PageId},
                               {"ad_id", AdId},           {"ad_type", AdType},
                               {"event_type", EventType}, {"ip_address", IpAddress}};

}  // namespace

const Schema& YsbSchema() {
  static const auto* const schema = [] {
    auto* made = new Schema;
    for (const Member& member : kMembers) made->Set({member.name, Type(Kind::kString)});
    made->Set({"event_time", Type(Kind::kTimestamp)});
    return made;
  }();
  return *schema;
}

RecordBatch MakeYsb(const EventRun& run, const SchemaRef& wanted) {
  std::vector<ColumnRef> columns;
  for (const Field& field : wanted->fields()) {
    auto column = std::make_shared<Column>(field.type);
    for (const Member& member : kMembers) {
      if (field.name != member.name) continue;
      column->strings.resize(run.rows);
      for (size_t row = 0; row < run.rows; ++row)
        column->strings[row] = member.text(run.Event(row));
    }
    for (size_t row = 0; field.name == "event_time" && row < run.rows; ++row) {
      column->ints.push_back(run.TimeMicros(run.Event(row)));
    }
    for (size_t row = 0; field.type.kind() == Kind::kUint && row < run.rows; ++row) {
      column->uints.push_back(run.Event(row));
    }
    column->set_size(run.rows);
    columns.push_back(std::move(column));
  }
  return RecordBatch(wanted, std::move(columns), run.rows);
}

}  // namespace millrace::worker
