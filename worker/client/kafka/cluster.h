#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/options.h"
#include "worker/client/kafka/records.h"

namespace millrace::worker {

// What a reader sees: all records, or those of committed transactions only, up to the last stable
// offset.
enum class KafkaIsolation : uint8_t { kReadUncommitted, kReadCommitted };

struct KafkaPartition {
  std::string topic;
  int partition = 0;
  auto operator<=>(const KafkaPartition&) const = default;
};

struct KafkaPartitionInfo {
  int partition = 0;
  int leader = -1;  // the broker's id
  int leader_epoch = -1;
  Status status;  // not ok: it has no leader now (retryable)
};

struct KafkaTopicInfo {
  std::string name;
  std::string id;  // base64url of the 16 bytes without padding, as the Kafka tools print it
  bool internal = false;
  std::vector<KafkaPartitionInfo> partitions;  // by number
  Status status;  // kNotFound: no such topic; kInvalid: no authority to see it
};

// Timestamps of a KafkaOffsetQuery that are not times.
inline constexpr int64_t kKafkaLatest =
    -1;  // where the next record will be; for kReadCommitted the last stable offset
inline constexpr int64_t kKafkaEarliest = -2;  // the first record still there

struct KafkaOffsetQuery {
  KafkaPartition where;
  int64_t timestamp_ms = kKafkaLatest;
};

struct KafkaOffsetAnswer {
  KafkaPartition where;
  int64_t offset = -1;  // -1: no record at or after the timestamp
  int leader_epoch = -1;
  Status status;
};

// The records with from <= offset < to.
struct KafkaRange {
  KafkaPartition where;
  std::string topic_id;  // as KafkaTopicInfo::id; empty: whatever topic has the name now
  int64_t from = 0;
  int64_t to = 0;
};

// The read side of a Kafka cluster (Kafka 3.1 or newer: topics are known by id), by the protocol
// itself: records reach the caller as views into the response. Leader changes and lost connections
// are retried inside, with fresh metadata, until nothing has come for 30 s; no record is given
// twice or left out because of them. Thread-safe; every call blocks, hears stop (kAborted) and has
// deadlines. Connections are kept per broker and used by one call at a time. Secrets are read from
// their files for each new connection and never appear in messages. `clock` must outlive the
// object. Errors: kInvalid for what stays wrong (certificate, password, authority, a broker that is
// too old), kUnavailable when brokers cannot be reached or have no leader, kInternal for damaged
// data.
class KafkaCluster {
 public:
  // Does not connect. kInvalid or kNotFound for addresses, properties or secrets that cannot be
  // used.
  static Result<std::unique_ptr<KafkaCluster>> Create(const KafkaClientOptions& options,
                                                      Clock* clock);
  ~KafkaCluster();

  // What the cluster knows of `topics`, in their order; of all topics when empty. Topics are never
  // created by asking.
  Result<std::vector<KafkaTopicInfo>> Metadata(const std::vector<std::string>& topics,
                                               const std::stop_token& stop);

  // One answer per query, in their order. The first record at or after each timestamp, or the ends
  // of the partition.
  Result<std::vector<KafkaOffsetAnswer>> ListOffsets(const std::vector<KafkaOffsetQuery>& queries,
                                                     KafkaIsolation isolation,
                                                     const std::stop_token& stop);

  // Gives `visitor` exactly the records of `range` that `isolation` shows, in order, on this
  // thread. kGone "OffsetOutOfRange: ..." with requested and available offsets, "SourceChanged:
  // ..." with both topic ids when the topic was recreated or deleted.
  Status Fetch(const KafkaRange& range, KafkaIsolation isolation, KafkaColumns columns,
               const KafkaVisitor& visitor, const std::stop_token& stop);

  // From now on keeps what arrives behind a range that was fetched with `isolation` and a topic id,
  // for the next one; asks for it at most once each `pace`. Not with client.rack: the leader
  // answers. Requires: no Fetch before.
  void ReadAhead(KafkaIsolation isolation, Duration pace);
  // Where a partition that is read ahead ends, as ListOffsets would say; none for others.
  std::optional<int64_t> EndAhead(const KafkaPartition& where) const;

 private:
  class Impl;
  explicit KafkaCluster(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::worker
