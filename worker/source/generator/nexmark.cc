#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <span>
#include <string>

#include "worker/source/generator/counter_random.h"
#include "worker/source/generator/nexmark_text.h"
#include "worker/source/generator/preset.h"

// The Nexmark event stream (Tucker, Tufte, Papadimos, Maier: NEXMark, 2002) with the proportions
// and distributions that the current query suites use. Of 50 events one is a person, three are
// auctions, 46 are bids. Randomness is per event number, so the stream is the same in any number of
// partitions and every answer can be computed again from event numbers alone.
namespace millrace::worker {
namespace nexmark {
namespace {

constexpr uint64_t kCycle = 50;
constexpr uint64_t kAuctionsPerCycle = 3;
constexpr int64_t kFirstId = 1000;  // of persons and auctions
constexpr int64_t kFirstCategory = 10;
constexpr int64_t kCategories = 5;
constexpr int64_t kActivePersons = 1000;
constexpr int64_t kInFlightAuctions = 100;
constexpr int64_t kLead = 10;  // ids ahead of the newest that may be named before they exist
constexpr int64_t kHotEvery = 100;
// Mean lengths of what pads an event to its usual size, and of the rest of it.
constexpr double kPersonExtra = 200 - 62, kAuctionExtra = 500 - 118, kBidExtra = 100 - 32;

enum class EventKind : uint8_t { kPerson, kAuction, kBid };

EventKind KindOf(uint64_t n) {
  const uint64_t r = n % kCycle;
  if (r == 0) return EventKind::kPerson;
  return r <= kAuctionsPerCycle ? EventKind::kAuction : EventKind::kBid;
}

int64_t LastPerson(uint64_t n) { return static_cast<int64_t>(n / kCycle); }

// -1 before the first auction.
int64_t LastAuction(uint64_t n) {
  const auto cycle = static_cast<int64_t>(n / kCycle), r = static_cast<int64_t>(n % kCycle);
  return cycle * 3 + (r < 1 ? -1 : std::min<int64_t>(r - 1, 2));
}

int64_t RandomPerson(uint64_t n, uint64_t bits) {
  const int64_t persons = LastPerson(n) + 1;
  const int64_t active = std::min(persons, kActivePersons);
  return kFirstId + persons - active +
         static_cast<int64_t>(Below(bits, static_cast<uint64_t>(active + kLead)));
}

int64_t RandomAuction(uint64_t n, uint64_t bits) {
  const int64_t last = LastAuction(n), oldest = std::max<int64_t>(last - kInFlightAuctions, 0);
  return kFirstId + oldest +
         static_cast<int64_t>(Below(bits, static_cast<uint64_t>(last + kLead - oldest + 1)));
}

int64_t Seller(uint64_t n) {
  const uint64_t bits = RandomBits(n, kSeller);
  if (IsHot(bits, 3)) return kFirstId + LastPerson(n) / kHotEvery * kHotEvery;
  return RandomPerson(n, bits);
}

int64_t Bidder(uint64_t n) {
  const uint64_t bits = RandomBits(n, kBidder);
  if (IsHot(bits, 3)) return kFirstId + LastPerson(n) / kHotEvery * kHotEvery + 1;
  return RandomPerson(n, bits);
}

int64_t BidAuction(uint64_t n) {
  const uint64_t bits = RandomBits(n, kBidAuction);
  if (IsHot(bits, 2)) return kFirstId + LastAuction(n) / kHotEvery * kHotEvery;
  return RandomAuction(n, bits);
}

// Log-uniform in 100 .. 100,000,000 cents.
int64_t Price(uint64_t n, uint64_t draw) {
  constexpr double kLog2Of10 = 3.321928094887362;
  return std::llround(std::exp2(Unit(RandomBits(n, draw)) * 6 * kLog2Of10) * 100);
}

// Milliseconds until a hundred more auctions will have begun, doubled: the bound of an auction's
// length.
int64_t LengthMillis(const EventRun& run, uint64_t n) {
  constexpr int64_t kEventsAhead =
      kInFlightAuctions * static_cast<int64_t>(kCycle) / static_cast<int64_t>(kAuctionsPerCycle);
  const int64_t horizon = kEventsAhead * 1000 / run.rate;
  const auto bound = static_cast<uint64_t>(std::clamp<int64_t>(2 * horizon, 1, 0xffffffff));
  return 1 + static_cast<int64_t>(Below(RandomBits(n, kLength), bound));
}

// How one member of an event is made.
struct Member {
  const char* name;
  Kind kind;
  int64_t (*number)(const EventRun&, uint64_t n);
  std::string_view (*text)(uint64_t n, Arena*);
};

int64_t TimeOf(const EventRun& run, uint64_t n) { return run.TimeMicros(n); }

constexpr Member kPersonMembers[] = {
    {"id", Kind::kInt, [](const EventRun&, uint64_t n) { return kFirstId + LastPerson(n); },
     nullptr},
    {"name", Kind::kString, nullptr, Name},
    {"email", Kind::kString, nullptr, Email},
    {"creditCard", Kind::kString, nullptr, Card},
    {"city", Kind::kString, nullptr, City},
    {"state", Kind::kString, nullptr, State},
    {"at", Kind::kTimestamp, TimeOf, nullptr},
    {"extra", Kind::kString, nullptr,
     [](uint64_t n, Arena* arena) { return Extra(n, kPersonExtraDraw, kPersonExtra, arena); }},
};

constexpr Member kAuctionMembers[] = {
    {"id", Kind::kInt, [](const EventRun&, uint64_t n) { return kFirstId + LastAuction(n); },
     nullptr},
    {"item", Kind::kString, nullptr,
     [](uint64_t n, Arena* arena) { return Text(n, kItem, 20, ' ', arena); }},
    {"description", Kind::kString, nullptr,
     [](uint64_t n, Arena* arena) { return Text(n, kDescription, 100, ' ', arena); }},
    {"initialBid", Kind::kInt, [](const EventRun&, uint64_t n) { return Price(n, kInitialBid); },
     nullptr},
    {"reserve", Kind::kInt,
     [](const EventRun&, uint64_t n) { return Price(n, kInitialBid) + Price(n, kReserve); },
     nullptr},
    {"at", Kind::kTimestamp, TimeOf, nullptr},
    {"expires", Kind::kTimestamp,
     [](const EventRun& run, uint64_t n) {
       return run.TimeMicros(n) + LengthMillis(run, n) * 1000;
     },
     nullptr},
    {"seller", Kind::kInt, [](const EventRun&, uint64_t n) { return Seller(n); }, nullptr},
    {"category", Kind::kInt,
     [](const EventRun&, uint64_t n) {
       return kFirstCategory + static_cast<int64_t>(Below(RandomBits(n, kCategory), kCategories));
     },
     nullptr},
    {"extra", Kind::kString, nullptr,
     [](uint64_t n, Arena* arena) { return Extra(n, kAuctionExtraDraw, kAuctionExtra, arena); }},
};

constexpr Member kBidMembers[] = {
    {"auction", Kind::kInt, [](const EventRun&, uint64_t n) { return BidAuction(n); }, nullptr},
    {"bidder", Kind::kInt, [](const EventRun&, uint64_t n) { return Bidder(n); }, nullptr},
    {"price", Kind::kInt, [](const EventRun&, uint64_t n) { return Price(n, kPrice); }, nullptr},
    {"channel", Kind::kString, nullptr,
     [](uint64_t n, Arena*) { return std::string_view(ChannelOf(n).name); }},
    {"url", Kind::kString, nullptr,
     [](uint64_t n, Arena*) { return std::string_view(ChannelOf(n).url); }},
    {"at", Kind::kTimestamp, TimeOf, nullptr},
    {"extra", Kind::kString, nullptr,
     [](uint64_t n, Arena* arena) { return Extra(n, kBidExtraDraw, kBidExtra, arena); }},
};

std::span<const Member> MembersOf(EventKind kind) {
  switch (kind) {
    case EventKind::kPerson:
      return kPersonMembers;
    case EventKind::kAuction:
      return kAuctionMembers;
    case EventKind::kBid:
      return kBidMembers;
  }
  return {};
}

Type StructOf(EventKind kind) {
  std::vector<Field> fields;
  for (const Member& member : MembersOf(kind)) fields.push_back({member.name, Type(member.kind)});
  return Type::Struct(std::move(fields)).AsNullable();
}

// One member for the given rows of a run; other rows hold zero.
std::shared_ptr<Column> MakeMember(const Member& member, const Field& field, const EventRun& run,
                                   const std::vector<uint32_t>& rows,
                                   const std::shared_ptr<Arena>& arena) {
  auto column = std::make_shared<Column>(field.type);
  if (member.number != nullptr) {
    column->ints.assign(run.rows, 0);
    for (const uint32_t row : rows) column->ints[row] = member.number(run, run.Event(row));
  } else {
    column->strings.assign(run.rows, {});
    for (const uint32_t row : rows) column->strings[row] = member.text(run.Event(row), arena.get());
    column->AddOwner(arena);
  }
  column->set_size(run.rows);
  return column;
}

ColumnRef MakeStruct(EventKind kind, const Field& field, const EventRun& run,
                     const std::vector<uint32_t>& rows, const std::shared_ptr<Arena>& arena) {
  auto column = std::make_shared<Column>(field.type);
  column->children.clear();
  column->valid.assign(run.rows, 0);
  for (const uint32_t row : rows) column->valid[row] = 1;
  for (const Field& child : field.type.fields()) {
    for (const Member& member : MembersOf(kind)) {
      if (child.name == member.name)
        column->children.push_back(MakeMember(member, child, run, rows, arena));
    }
  }
  column->set_size(run.rows);
  return column;
}

}  // namespace
}  // namespace nexmark

namespace {

using nexmark::EventKind;
using nexmark::KindOf;
using nexmark::MakeStruct;
using nexmark::StructOf;

}  // namespace

int64_t EventRun::TimeMicros(uint64_t event) const {
  const auto n = static_cast<int64_t>(event);
  return kEventTimeBase + n / rate * 1'000'000 + n % rate * 1'000'000 / rate;
}

const Schema& NexmarkSchema() {
  static const auto* const schema = new Schema({{"kind", Type(Kind::kString)},
                                                {"at", Type(Kind::kTimestamp)},
                                                {"person", StructOf(EventKind::kPerson)},
                                                {"auction", StructOf(EventKind::kAuction)},
                                                {"bid", StructOf(EventKind::kBid)}});
  return *schema;
}

RecordBatch MakeNexmark(const EventRun& run, const SchemaRef& wanted) {
  static constexpr std::string_view kKinds[] = {"person", "auction", "bid"};
  std::array<std::vector<uint32_t>, 3> rows_of;
  rows_of[2].reserve(run.rows);
  for (size_t row = 0; row < run.rows; ++row) {
    rows_of[static_cast<size_t>(KindOf(run.Event(row)))].push_back(static_cast<uint32_t>(row));
  }
  const auto arena = std::make_shared<Arena>();
  std::vector<ColumnRef> columns;
  for (const Field& field : wanted->fields()) {
    if (field.type.kind() == Kind::kStruct) {
      const EventKind kind = field.name == "bid"       ? EventKind::kBid
                             : field.name == "auction" ? EventKind::kAuction
                                                       : EventKind::kPerson;
      columns.push_back(MakeStruct(kind, field, run, rows_of[static_cast<size_t>(kind)], arena));
      continue;
    }
    auto column = std::make_shared<Column>(field.type);
    for (size_t row = 0; row < run.rows; ++row) {
      const uint64_t n = run.Event(row);
      if (field.name == "kind") column->strings.push_back(kKinds[static_cast<size_t>(KindOf(n))]);
      if (field.name == "at") column->ints.push_back(run.TimeMicros(n));
      if (field.type.kind() == Kind::kUint) column->uints.push_back(n);
    }
    column->set_size(run.rows);
    columns.push_back(std::move(column));
  }
  return RecordBatch(wanted, std::move(columns), run.rows);
}

}  // namespace millrace::worker
