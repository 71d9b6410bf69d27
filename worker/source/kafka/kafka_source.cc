#include "worker/source/kafka/kafka_source.h"

#include <algorithm>
#include <utility>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/source/position.h"

namespace millrace::worker {
namespace {

constexpr Duration kMaxPollInterval = std::chrono::milliseconds(250);
constexpr Duration kMinPollInterval = std::chrono::milliseconds(2);
constexpr Duration kMinAheadPace = std::chrono::milliseconds(4);
constexpr Duration kMetadataInterval = std::chrono::seconds(10);
// How long a broker may know fewer records than were read, as it does while replicas change places.
constexpr Duration kCatchUpTime = std::chrono::seconds(10);
constexpr Duration kCatchUpPoll = std::chrono::milliseconds(200);

KafkaClientOptions ClientOptions(const api::KafkaSource& spec, const SourceOptions& options) {
  KafkaClientOptions client;
  client.brokers = spec.brokers;
  client.tls = spec.tls;
  client.sasl = spec.sasl;
  client.properties = spec.properties;
  client.secrets_directory = options.secrets_directory;
  return client;
}

// Four looks a batch, so that what arrived is in the next one.
Duration PollInterval(Duration batch_interval) {
  return std::clamp(batch_interval / 4, kMinPollInterval, kMaxPollInterval);
}

// How often new topics and partitions are looked for: metadata.max.age.ms when it is shorter than
// the default.
Duration MetadataInterval(const api::KafkaSource& spec) {
  const auto found = spec.properties.find("metadata.max.age.ms");
  const std::optional<int64_t> millis =
      found == spec.properties.end() ? std::nullopt : ParseNumber(found->second);
  if (!millis || *millis <= 0) return kMetadataInterval;
  return std::min<Duration>(kMetadataInterval, std::chrono::milliseconds(*millis));
}

int64_t Millis(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

KafkaOffsets EndsOf(const KafkaView& view) {
  KafkaOffsets ends;
  for (const KafkaPartitionView& partition : view.partitions)
    ends[KafkaPartitionName(partition.topic, partition.partition)] = partition.end;
  return ends;
}

}  // namespace

Result<std::unique_ptr<Source>> KafkaSource::Create(std::string name, const api::KafkaSource& spec,
                                                    const SourceOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<KafkaCluster> cluster,
                   KafkaCluster::Create(ClientOptions(spec, options), options.clock));
  ASSIGN_OR_RETURN(std::unique_ptr<KafkaOffsetMirror> mirror,
                   KafkaOffsetMirror::Create(ClientOptions(spec, options),
                                             spec.group_id.value_or(options.group_id)));
  return std::unique_ptr<Source>(
      new KafkaSource(std::move(name), spec, options, std::move(cluster), std::move(mirror)));
}

KafkaSource::KafkaSource(std::string name, const api::KafkaSource& spec,
                         const SourceOptions& options, std::unique_ptr<KafkaCluster> cluster,
                         std::unique_ptr<KafkaOffsetMirror> mirror)
    : name_(std::move(name)),
      spec_(spec),
      hidden_(options.wanted.get()),
      clock_(options.clock),
      offering_{name_, spec.on_missing_offsets, spec.end_at.has_value()},
      stop_with_job_(options.stop, [this] { stop_.request_stop(); }),
      poll_interval_(PollInterval(options.batch_interval)),
      cluster_(std::move(cluster)),
      watcher_(std::make_unique<KafkaWatcher>(
          KafkaWatcherOptions{name_, spec, poll_interval_, MetadataInterval(spec)}, cluster_.get(),
          options.clock)),
      mirror_(std::move(mirror)) {}

KafkaSource::~KafkaSource() { Stop(); }

void KafkaSource::Stop() {
  stop_.request_stop();
  watcher_.reset();
  mirror_.reset();
}

Status KafkaSource::Start(const SourcePosition& position) {
  cluster_->ReadAhead(IsolationOf(spec_), std::max(kMinAheadPace, poll_interval_));
  ASSIGN_OR_RETURN(cursor_, KafkaCursor::Decode(position.cursor));
  cursor_text_ = base_text_ = position.cursor;
  RETURN_IF_ERROR(watcher_->LookNow(cursor_.topic_ids, stop_.get_token()));
  ASSIGN_OR_RETURN(const KafkaView view, watcher_->view());
  if (position.cursor.empty()) {
    ASSIGN_OR_RETURN(bounds_.starts, FindStarts(view));
  } else {
    RETURN_IF_ERROR(WaitForPosition(position));
  }
  const bool ends_known = !cursor_.units.empty() &&
                          std::all_of(cursor_.units.begin(), cursor_.units.end(),
                                      [](const KafkaUnit& unit) { return unit.end.has_value(); });
  if (spec_.end_at && !ends_known) {
    ASSIGN_OR_RETURN(bounds_.ends, FindEnds(view));
  }
  watcher_->Start();
  return OkStatus();
}

Result<KafkaOffsets> KafkaSource::FindStarts(const KafkaView& view) {
  if (std::holds_alternative<api::StartFromLatest>(spec_.start_from)) return EndsOf(view);
  if (const auto* time = std::get_if<TimePoint>(&spec_.start_from)) return OffsetsAt(view, *time);
  if (const auto* given = std::get_if<api::StartFromOffsets>(&spec_.start_from)) {
    RETURN_IF_ERROR(CheckGiven(view, given->offsets));
    return given->offsets;
  }
  return KafkaOffsets();
}

Result<KafkaOffsets> KafkaSource::FindEnds(const KafkaView& view) {
  const auto* time = std::get_if<TimePoint>(&*spec_.end_at);
  if (time == nullptr) return EndsOf(view);
  if (*time <= clock_->Now()) return OffsetsAt(view, *time);
  return InvalidError("endAt.timestamp " + FormatRfc3339(*time) +
                      " is in the future: where the source ends cannot be known yet");
}

// The first offset at or after `time` of every partition, else its end.
Result<KafkaOffsets> KafkaSource::OffsetsAt(const KafkaView& view, TimePoint time) {
  std::vector<KafkaOffsetQuery> queries;
  for (const KafkaPartitionView& partition : view.partitions)
    queries.push_back({{partition.topic, partition.partition}, Millis(time)});
  ASSIGN_OR_RETURN(const std::vector<KafkaOffsetAnswer> answers,
                   cluster_->ListOffsets(queries, IsolationOf(spec_), stop_.get_token()));
  KafkaOffsets offsets = EndsOf(view);
  for (const KafkaOffsetAnswer& answer : answers) {
    RETURN_IF_ERROR(answer.status);
    if (answer.offset >= 0)
      offsets[KafkaPartitionName(answer.where.topic, answer.where.partition)] = answer.offset;
  }
  return offsets;
}

Status KafkaSource::CheckGiven(const KafkaView& view, const KafkaOffsets& given) const {
  size_t found = 0;
  for (const KafkaPartitionView& partition : view.partitions) {
    const std::string name = KafkaPartitionName(partition.topic, partition.partition);
    const auto offset = given.find(name);
    if (offset == given.end())
      return NotFoundError("startFrom.offsets has no offset for " + name +
                           "; every partition needs one");
    if (offset->second < partition.first || offset->second > partition.end) {
      return NotFoundError(
          "startFrom.offsets: " + name + " has offsets " + std::to_string(partition.first) +
          " to " + std::to_string(partition.end) + ", not " + std::to_string(offset->second));
    }
    ++found;
  }
  if (found == given.size()) return OkStatus();
  for (const auto& [name, offset] : given) {
    const bool known = std::any_of(
        view.partitions.begin(), view.partitions.end(), [&](const KafkaPartitionView& partition) {
          return KafkaPartitionName(partition.topic, partition.partition) == name;
        });
    if (!known) return NotFoundError("startFrom.offsets names " + name + ", which does not exist");
  }
  return OkStatus();
}

// Waits until the brokers have what was read before; a log that stays shorter has lost records.
Status KafkaSource::WaitForPosition(const SourcePosition& position) {
  const MonotonicTime deadline = clock_->Monotonic() + kCatchUpTime;
  while (true) {
    ASSIGN_OR_RETURN(const KafkaView view, watcher_->view());
    const Status status = CheckPosition(view, position);
    if (status.ok() || clock_->Monotonic() >= deadline) return status;
    if (!clock_->SleepFor(kCatchUpPoll, stop_.get_token()))
      return AbortedError("stopped while waiting for " + name_);
    RETURN_IF_ERROR(watcher_->LookNow(cursor_.topic_ids, stop_.get_token()));
  }
}

Status KafkaSource::CheckPosition(const KafkaView& view, const SourcePosition& position) const {
  for (const KafkaPartitionView& partition : view.partitions) {
    const int unit = cursor_.Find(partition.topic, partition.partition);
    if (unit < 0) continue;
    ASSIGN_OR_RETURN(const uint64_t read, PositionAt(position, unit, "a Kafka source"));
    if (static_cast<int64_t>(read) <= partition.end) continue;
    return GoneError("SourceChanged: " + KafkaPartitionName(partition.topic, partition.partition) +
                     " was read up to offset " + std::to_string(read) +
                     ", but the broker has records only up to " + std::to_string(partition.end) +
                     ": the topic lost records that the job has counted");
  }
  return OkStatus();
}

Result<SourceOffer> KafkaSource::Offer(const OfferRequest& request) {
  ASSIGN_OR_RETURN(const KafkaView view, watcher_->view());
  if (request.position->cursor != base_text_) {
    ASSIGN_OR_RETURN(cursor_, KafkaCursor::Decode(request.position->cursor));
    cursor_text_ = base_text_ = request.position->cursor;
  }
  if (ExtendCursor(view, bounds_, offering_, &cursor_)) cursor_text_ = cursor_.Encode();
  ASSIGN_OR_RETURN(SourceOffer offer, OfferKafka(cursor_, view, offering_, request));
  offer.cursor = cursor_text_;
  offer.must_commit = cursor_text_ != base_text_;
  return offer;
}

// Leaves out records without a value.
void KafkaSource::DropTombstones(RawRecords* raw) const {
  if (spec_.tombstones != api::KafkaSource::Tombstones::kSkip || raw->null_payload.empty()) return;
  std::vector<uint32_t> rows;
  for (size_t i = 0; i < raw->payloads.size(); ++i) {
    if (raw->null_payload[i] == 0) rows.push_back(static_cast<uint32_t>(i));
  }
  *raw = SelectRecords(*raw, rows);
  raw->null_payload.clear();
}

Status KafkaSource::Read(const PartitionRange& range, RecordConsumer* consumer) {
  ASSIGN_OR_RETURN(const KafkaProof proof, KafkaProof::Decode(range.proof));
  ASSIGN_OR_RETURN(const uint64_t from, ParsePosition(range.from, "a Kafka source"));
  ASSIGN_OR_RETURN(const uint64_t to, ParsePosition(range.to, "a Kafka source"));
  const auto topic = std::make_shared<const std::string>(proof.topic);
  int64_t next_index = 0;
  const auto visit = [&](KafkaRecords records) -> Status {
    RawRecords raw;
    raw.topic = proof.topic;
    raw.partition = proof.partition;
    raw.first_index = next_index;
    raw.first_offset = records.first_offset;
    RETURN_IF_ERROR(hidden_.Fill(records, topic, proof.partition, &raw));
    raw.payloads = std::move(records.values);
    raw.null_payload = std::move(records.null_values);
    raw.offsets = std::move(records.offsets);
    raw.owners = std::move(records.owners);
    next_index += static_cast<int64_t>(raw.payloads.size());
    DropTombstones(&raw);
    return consumer->OnRaw(std::move(raw));
  };
  const KafkaRange wanted{{proof.topic, proof.partition},
                          proof.topic_id,
                          static_cast<int64_t>(from),
                          static_cast<int64_t>(to)};
  return cluster_->Fetch(wanted, IsolationOf(spec_), hidden_.columns(), visit, stop_.get_token());
}

std::vector<PartitionProgress> KafkaSource::Progress(const SourcePosition& committed) const {
  const Result<KafkaView> view = watcher_->view();
  std::vector<PartitionProgress> progress;
  if (!view.ok()) return progress;
  for (const KafkaPartitionView& partition : view->partitions) {
    const int unit = cursor_.Find(partition.topic, partition.partition);
    if (unit < 0) continue;
    const auto offset = committed.offsets.find(unit);
    const std::optional<int64_t> read =
        offset == committed.offsets.end() ? std::nullopt : ParseNumber(offset->second);
    progress.push_back({partition.topic, partition.partition,
                        read.value_or(cursor_.units[static_cast<size_t>(unit)].start),
                        partition.end});
  }
  return progress;
}

void KafkaSource::Committed(const SourcePosition& position) {
  const Result<KafkaCursor> cursor = KafkaCursor::Decode(position.cursor);
  if (!cursor.ok()) return;  // the next offer will say so
  std::map<KafkaPartition, int64_t> offsets;
  for (const auto& [unit, text] : position.offsets) {
    const std::optional<int64_t> offset = ParseNumber(text);
    if (!offset || unit >= static_cast<int>(cursor->units.size())) continue;
    offsets[{cursor->units[unit].topic, cursor->units[unit].partition}] = *offset;
  }
  mirror_->Set(offsets);
}

}  // namespace millrace::worker
