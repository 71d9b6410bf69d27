#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/options.h"

namespace millrace::worker {

// Records to write, as columns. A view with data() == nullptr is null: a tombstone, no key, a null
// header. Empty columns: no keys, the client's clock, partitions by key. All others have one entry
// a record.
struct KafkaRows {
  std::span<const std::string_view> values;
  std::span<const std::string_view> keys;
  std::span<const int64_t> timestamps_ms;
  std::span<const int32_t> partitions;  // -1: by key
  std::span<const int> topics;          // as KafkaProducer::Topic numbered them
  struct Header {
    std::string name;
    std::vector<std::string_view> values;
  };
  std::span<const Header> headers;
  std::span<const uint32_t> rows;     // the records to write, of those above
  std::shared_ptr<const void> owner;  // keeps `values` alive; the others are copied
};

// How the records since Begin ended.
enum class KafkaOutcome : uint8_t {
  kCommitted,  // acknowledged by all in-sync replicas and visible
  kAborted,    // nothing is visible to read_committed
  kUnknown,    // either of them, and the producer is of no use: make another one and read what is
               // there
};
struct KafkaSettled {
  KafkaOutcome outcome = KafkaOutcome::kCommitted;
  Status status;                // ok exactly when committed
  std::string too_large_topic;  // its broker refused a record for its size; empty for no such thing
  // The request to end the transaction was sent again. The first may have had no answer, still
  // arrive, and end the next transaction of this producer too early: make another producer.
  bool spent = false;
};

struct KafkaProducerOptions {
  KafkaClientOptions client;
  std::string transactional_id;  // empty: idempotent, without transactions
  api::Compression compression = api::Compression::kLz4;
  // Longest time from Begin to the end of Commit.
  Duration transaction_timeout = std::chrono::seconds(60);
  int64_t max_message_bytes = 1'000'000;  // of one record
  int64_t max_batch_bytes = 1'000'000;    // of one request's records of one partition
};

// Writes records in transactions, or at least once without. Guarantee: a transaction has exactly
// one of three outcomes, and after an unknown one every call fails (KIP-890 is not there: a late
// EndTxn could end the next transaction of the same producer). All records are acknowledged by all
// in-sync replicas; a broker stores none of them twice. Thread-compatible. Calls block for at most
// the transaction's timeout; after a stop request for at most a few seconds. Errors: kAborted when
// another producer took the transactional id over, kInvalid for authorisation and settings,
// kNotFound for topics, kUnavailable (retryable) for brokers that do not answer.
class KafkaProducer {
 public:
  // Does not connect. kInvalid for settings and secrets that cannot be used.
  static Result<std::unique_ptr<KafkaProducer>> Create(const KafkaProducerOptions& options,
                                                       Clock* clock);
  virtual ~KafkaProducer() = default;

  // Fences older producers of the same transactional id; their open transaction is aborted and a
  // half committed one completed. First call, once.
  virtual Status Start(const std::stop_token& stop) = 0;
  // A number for a topic, for KafkaRows::topics. Does not connect.
  virtual Result<int> Topic(const std::string& name) = 0;
  // Number of partitions. Brokers that create topics by themselves create it now. kNotFound when
  // there is none.
  virtual Result<int> PartitionCount(int topic, const std::stop_token& stop) = 0;

  virtual Status Begin() = 0;
  // Hands records to the client, which sends them in the background. After an error: Abort.
  virtual Status Produce(const KafkaRows& rows, const std::stop_token& stop) = 0;
  // Returns when everything produced is settled. Without transactions: acknowledged, or not.
  virtual KafkaSettled Commit(const std::stop_token& stop) = 0;
  virtual KafkaSettled Abort(const std::stop_token& stop) = 0;
};

}  // namespace millrace::worker
