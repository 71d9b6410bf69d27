#include "worker/client/kafka/partition_fetch.h"

#include <algorithm>
#include <utility>

#include "worker/client/kafka/error_code.h"
#include "worker/client/kafka/offset_lookup.h"

namespace millrace::worker {

PartitionFetch::PartitionFetch(const FetchContext& context, const KafkaRange& range,
                               KafkaIsolation isolation, KafkaColumns columns,
                               std::shared_ptr<BufferPool> buffers, const KafkaVisitor* visitor,
                               const std::stop_token& stop)
    : context_(context),
      range_(range),
      committed_(isolation == KafkaIsolation::kReadCommitted),
      stop_(stop),
      walker_({{range.from, range.to}, columns, context.settings.check_crcs}, std::move(buffers),
              &watched_),
      watched_([this, visitor](KafkaRecords records) {
        Status status = (*visitor)(std::move(records));
        visitor_failed_ = !status.ok();
        return status;
      }),
      progress_(context.clock->Monotonic()),
      topic_seen_(progress_) {}

std::string PartitionFetch::Name() const {
  return range_.where.topic + "/" + std::to_string(range_.where.partition);
}

CallLimit PartitionFetch::Limit() const {
  return {context_.clock->Monotonic() + context_.settings.request_timeout, stop_};
}

Status PartitionFetch::Run() {
  const Result<TopicId> topic = ParseTopicId(range_.topic_id);
  const bool ahead =
      context_.tails != nullptr && topic.ok() && context_.tails->committed() == committed_;
  if (ahead) RETURN_IF_ERROR(ReadHeld(*topic));
  RETURN_IF_ERROR(ReadFromBrokers());
  if (ahead) context_.tails->Follow(range_.where, *topic, range_.to);
  return OkStatus();
}

// What is damaged is fetched again; only the visitor's errors are returned.
Status PartitionFetch::ReadHeld(const TopicId& topic) {
  for (TailReader::Held& held : context_.tails->HeldFrom(range_.where, topic, range_.from)) {
    if (walker_.done()) break;
    const Status status = walker_.Walk(held.records, held.owner, std::move(held.aborted));
    if (visitor_failed_) return status;
    if (status.ok()) continue;
    context_.tails->Forget(range_.where);
    break;
  }
  return OkStatus();
}

Status PartitionFetch::ReadFromBrokers() {
  Duration backoff = context_.settings.backoff;
  while (!walker_.done()) {
    const int64_t before = walker_.next_offset();
    const Status status = ReadFromBroker();
    if (status.ok()) continue;
    if (visitor_failed_) return status;
    if (stop_.stop_requested()) return AbortedError("stopped");
    const std::string what =
        "fetch " + Name() + " from offset " + std::to_string(walker_.next_offset());
    if (status.code() == StatusCode::kGone) return status;
    if (!status.retryable()) return status.WithContext(what);
    const MonotonicTime now = context_.clock->Monotonic();
    if (walker_.next_offset() > before) {
      progress_ = now;
      backoff = context_.settings.backoff;
    }
    if (now - progress_ >= kPatience) return status.WithContext(what);
    context_.directory->Forget(range_.where.topic);
    replica_ = -1;
    if (!context_.clock->SleepFor(backoff, stop_)) return AbortedError("stopped");
    backoff = std::min(2 * backoff, context_.settings.max_backoff);
  }
  return OkStatus();
}

Result<PartitionLeader> PartitionFetch::FindLeader() {
  Result<PartitionLeader> leader =
      context_.directory->Leader(range_.where.topic, range_.where.partition, Limit());
  if (!leader.ok()) {
    if (leader.status().code() != StatusCode::kNotFound) return leader;
    return range_.topic_id.empty() ? leader.status() : TopicGone(leader.status().message());
  }
  const std::string id = FormatTopicId(leader->topic);
  if (!range_.topic_id.empty() && range_.topic_id != id)
    return TopicGone("the topic now has the id " + id);
  topic_seen_ = context_.clock->Monotonic();
  return leader;
}

Status PartitionFetch::TopicGone(const std::string& found) {
  const std::string message = "SourceChanged: topic " + range_.where.topic + " with the id " +
                              range_.topic_id + " was deleted or recreated: " + found;
  if (context_.clock->Monotonic() - topic_seen_ < kTopicPatience) return UnavailableError(message);
  return GoneError(message);
}

Status PartitionFetch::ReadFromBroker() {
  ASSIGN_OR_RETURN(PartitionLeader leader, FindLeader());
  if (replica_ >= 0) {
    ASSIGN_OR_RETURN(leader.address, context_.directory->Address(replica_));
  }
  ASSIGN_OR_RETURN(auto connection, context_.pool->Take(leader.address, Limit()));
  const Status status = ReadResponses(connection.get(), leader);
  context_.pool->Return(std::move(connection));
  return status;
}

Status PartitionFetch::Send(KafkaConnection* connection, const PartitionLeader& leader,
                            int64_t offset) {
  FetchRequest request;
  FetchPartition partition;
  partition.topic = leader.topic;
  partition.partition = range_.where.partition;
  partition.leader_epoch = leader.epoch;
  partition.offset = offset;
  partition.max_bytes = context_.sizes->Bytes(
      range_.where, range_.to - offset,
      std::min(context_.settings.partition_max_bytes, context_.settings.fetch_max_bytes));
  request.partitions = {partition};
  request.max_wait_ms =
      static_cast<int>(context_.settings.fetch_wait / std::chrono::milliseconds(1));
  request.min_bytes = std::min(context_.settings.fetch_min_bytes, partition.max_bytes);
  request.max_bytes = context_.settings.fetch_max_bytes;
  request.committed = committed_;
  request.rack = context_.settings.rack;
  return connection->Send(kApiFetch, EncodeFetch(request), Limit());
}

Status PartitionFetch::ReadResponses(KafkaConnection* connection, const PartitionLeader& leader) {
  RETURN_IF_ERROR(Send(connection, leader, walker_.next_offset()));
  while (true) {
    if (stop_.stop_requested()) return AbortedError("stopped");
    CallLimit limit = Limit();
    limit.end += context_.settings.fetch_wait;
    ASSIGN_OR_RETURN(const KafkaBody body, connection->Receive(kApiFetch, limit));
    ASSIGN_OR_RETURN(FetchAnswer response, TakeAnswer(body.body, leader));
    if (response.records.empty() && response.preferred_replica >= 0 &&
        response.preferred_replica != replica_) {
      replica_ = response.preferred_replica;
      return OkStatus();
    }
    const int64_t before = walker_.next_offset();
    const int64_t next = std::max(before, OffsetBehind(response.records));
    if (next > before) {
      context_.sizes->Note(range_.where, static_cast<int64_t>(response.records.size()),
                           next - before);
    }
    if (next < range_.to) RETURN_IF_ERROR(Send(connection, leader, next));
    RETURN_IF_ERROR(walker_.Walk(response.records, body.buffer.data, std::move(response.aborted)));
    if (walker_.done()) return OkStatus();
    if (walker_.next_offset() != next) return InternalError("batches out of order");
    if (next > before) progress_ = context_.clock->Monotonic();
    RETURN_IF_ERROR(CheckProgress(response));
  }
}

Result<FetchAnswer> PartitionFetch::TakeAnswer(std::string_view body,
                                               const PartitionLeader& leader) {
  ASSIGN_OR_RETURN(FetchResponse response, DecodeFetch(body));
  RETURN_IF_ERROR(CheckAnswer(response.error, leader));
  if (response.partitions.size() != 1) {
    return InternalError(leader.address.text() + " answers for " +
                         std::to_string(response.partitions.size()) + " partitions, not for one");
  }
  RETURN_IF_ERROR(CheckAnswer(response.partitions[0].error, leader));
  return std::move(response.partitions[0]);
}

Status PartitionFetch::CheckAnswer(int16_t error, const PartitionLeader& leader) {
  if (error == kErrorOffsetOutOfRange) return OutOfRange();
  const std::string broker = "broker " + leader.address.text();
  if (error == kErrorUnknownTopicOrPartition) {
    return UnavailableError(broker + ": " + KafkaErrorName(error));
  }
  return KafkaErrorStatus(error, broker);
}

Status PartitionFetch::OutOfRange() {
  OffsetLookup lookup(context_.directory, context_.pool, context_.settings, context_.clock);
  const KafkaOffsetQuery first{range_.where, kKafkaEarliest};
  const KafkaOffsetQuery end{range_.where, kKafkaLatest};
  ASSIGN_OR_RETURN(const auto ends, lookup.Run({first, end}, false, kPatience, stop_));
  for (const KafkaOffsetAnswer& answer : ends) RETURN_IF_ERROR(answer.status);
  const int64_t wanted = walker_.next_offset();
  const std::string message =
      "OffsetOutOfRange: " + Name() + ": wanted offset " + std::to_string(wanted) + ", there are " +
      std::to_string(ends[0].offset) + " to " + std::to_string(ends[1].offset);
  if (ends[0].offset <= wanted && wanted <= ends[1].offset) return UnavailableError(message);
  return GoneError(message);
}

Status PartitionFetch::CheckProgress(const FetchAnswer& answer) {
  if (context_.clock->Monotonic() - progress_ < kPatience) return OkStatus();
  return UnavailableError("no record for 30 s: the range ends at " + std::to_string(range_.to) +
                          ", the partition at " + std::to_string(answer.high_watermark) +
                          ", its last stable offset is " +
                          std::to_string(answer.last_stable_offset));
}

}  // namespace millrace::worker
