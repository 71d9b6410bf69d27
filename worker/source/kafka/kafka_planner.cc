#include "worker/source/kafka/kafka_planner.h"

#include <algorithm>
#include <utility>

#include "crds/base/log.h"
#include "worker/source/position.h"

namespace millrace::worker {
namespace {

using MissingOffsets = api::KafkaSource::MissingOffsets;

// One partition's unread records.
struct Backlog {
  int unit = 0;
  int64_t from = 0;
  int64_t end = 0;
  int64_t records() const { return end - from; }
};

Status OutOfRange(const KafkaOfferOptions& options, const KafkaUnit& unit, int64_t from,
                  const KafkaPartitionView& view) {
  return GoneError("OffsetOutOfRange: " + KafkaPartitionName(unit.topic, unit.partition) +
                   " is to be read from offset " + std::to_string(from) + ", but the broker has " +
                   std::to_string(view.first) + " to " + std::to_string(view.end) +
                   ": records were dropped before \"" + options.source +
                   "\" read them. Set onMissingOffsets: Earliest or Latest to go on without them");
}

// Where to go on when records before `view.first` are gone.
Result<int64_t> SkipMissing(const KafkaOfferOptions& options, const KafkaUnit& unit, int64_t from,
                            const KafkaPartitionView& view) {
  if (options.on_missing_offsets == MissingOffsets::kFail)
    return OutOfRange(options, unit, from, view);
  const int64_t to =
      options.on_missing_offsets == MissingOffsets::kEarliest ? view.first : view.end;
  Log(LogLevel::kWarn, "records are gone, going on without them",
      {{"source", options.source},
       {"partition", KafkaPartitionName(unit.topic, unit.partition)},
       {"from", std::to_string(from)},
       {"to", std::to_string(to)}});
  return to;
}

Result<int64_t> NextOffset(const KafkaUnit& unit, int number, const SourcePosition& position) {
  if (!position.offsets.contains(number)) return unit.start;
  ASSIGN_OR_RETURN(const uint64_t offset, PositionAt(position, number, "a Kafka source"));
  return static_cast<int64_t>(offset);
}

const KafkaPartitionView* FindView(const KafkaView& view, const KafkaUnit& unit) {
  const auto it =
      std::lower_bound(view.partitions.begin(), view.partitions.end(), unit,
                       [](const KafkaPartitionView& a, const KafkaUnit& b) {
                         return std::tie(a.topic, a.partition) < std::tie(b.topic, b.partition);
                       });
  const bool found =
      it != view.partitions.end() && it->topic == unit.topic && it->partition == unit.partition;
  return found ? &*it : nullptr;
}

std::optional<int64_t> EndOf(const KafkaUnit& unit, const KafkaBounds& bounds) {
  const auto end = bounds.ends.find(KafkaPartitionName(unit.topic, unit.partition));
  if (end == bounds.ends.end()) return std::nullopt;
  return std::max(unit.start, end->second);
}

// The share of `backlog` in a limit on all of `total`, at least one record.
int64_t ShareOf(const Backlog& backlog, int64_t total, const OfferRequest& request) {
  int64_t records = backlog.records();
  if (request.max_records > 0 && total > request.max_records) {
    const double share = static_cast<double>(request.max_records) * static_cast<double>(records) /
                         static_cast<double>(total);
    records = std::clamp<int64_t>(static_cast<int64_t>(share), 1, records);
  }
  if (request.max_records_per_partition > 0)
    records = std::min(records, request.max_records_per_partition);
  return records;
}

}  // namespace

bool ExtendCursor(const KafkaView& view, const KafkaBounds& bounds,
                  const KafkaOfferOptions& options, KafkaCursor* cursor) {
  const KafkaCursor before = *cursor;
  for (KafkaUnit& unit : cursor->units) {
    if (!options.bounded) unit.end.reset();
    if (options.bounded && !unit.end) unit.end = EndOf(unit, bounds);
  }
  for (const KafkaPartitionView& partition : view.partitions) {
    if (cursor->Find(partition.topic, partition.partition) >= 0) continue;
    KafkaUnit unit{partition.topic, partition.partition, partition.first, std::nullopt};
    const auto start = bounds.starts.find(KafkaPartitionName(unit.topic, unit.partition));
    if (start != bounds.starts.end()) unit.start = start->second;
    if (options.bounded) unit.end = EndOf(unit, bounds);
    if (options.bounded && !unit.end) continue;
    cursor->topic_ids[partition.topic] = view.topic_ids.at(partition.topic);
    cursor->units.push_back(std::move(unit));
  }
  return *cursor != before;
}

Result<SourceOffer> OfferKafka(const KafkaCursor& cursor, const KafkaView& view,
                               const KafkaOfferOptions& options, const OfferRequest& request) {
  std::vector<Backlog> backlogs;
  int64_t total = 0;
  bool ended = options.bounded && !cursor.units.empty();
  for (size_t i = 0; i < cursor.units.size(); ++i) {
    const KafkaUnit& unit = cursor.units[i];
    ASSIGN_OR_RETURN(int64_t from, NextOffset(unit, static_cast<int>(i), *request.position));
    const KafkaPartitionView* partition = FindView(view, unit);
    const bool done = unit.end && from >= *unit.end;
    if (partition != nullptr && !done && from < partition->first) {
      ASSIGN_OR_RETURN(from, SkipMissing(options, unit, from, *partition));
    }
    const int64_t end =
        partition == nullptr ? from : std::min(partition->end, unit.end.value_or(partition->end));
    ended = ended && unit.end && std::max(from, end) >= *unit.end;
    if (end <= from) continue;
    backlogs.push_back({static_cast<int>(i), from, end});
    total += end - from;
  }
  SourceOffer offer;
  offer.lag_records = 0;
  for (const Backlog& backlog : backlogs) {
    const KafkaUnit& unit = cursor.units[backlog.unit];
    const int64_t records = ShareOf(backlog, total, request);
    const KafkaProof proof{unit.topic, unit.partition, cursor.topic_ids.at(unit.topic)};
    offer.ranges.push_back({backlog.unit, std::to_string(backlog.from),
                            std::to_string(backlog.from + records), proof.Encode(), records});
    offer.lag_records += backlog.records() - records;
  }
  offer.ended = ended && offer.lag_records == 0;
  return offer;
}

}  // namespace millrace::worker
