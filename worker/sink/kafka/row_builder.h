#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crds/base/clock.h"
#include "worker/client/kafka/producer.h"
#include "worker/data/format.h"
#include "worker/expr/program.h"
#include "worker/sink/projection.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

// The expressions of a Kafka sink; null for those that are not given.
struct KafkaExpressions {
  ProgramRef topic;                                         // string
  ProgramRef key;                                           // string or bytes, may be null
  std::vector<std::pair<std::string, ProgramRef>> headers;  // string or bytes, may be null
  ProgramRef timestamp;                                     // timestamp, may be null
  ProgramRef partition;                                     // int, may be null
  ProgramRef delete_when;                                   // bool
};

// What the rows' topics allow.
struct KafkaTopicFacts {
  int number = 0;  // of the producer
  int partitions = 0;
  int64_t max_record_bytes = 0;  // key, value and headers
};

// Turns record batches into Kafka records, a column at a time. Rows that cannot be written (an
// expression or the format fails, too large, no such topic or partition, a tombstone without key)
// are reported and left out. Removed rows of updating streams and those of deleteWhen become
// tombstones. Thread-compatible; keeps its columns for the next batch.
class KafkaRowBuilder {
 public:
  // Facts of a topic. kNotFound rejects the rows of a topic expression; everything else ends Build.
  using TopicLookup = std::function<Result<KafkaTopicFacts>(std::string_view name)>;

  // `topic`: where there is no topic expression.
  KafkaRowBuilder(KafkaExpressions expressions, std::string topic, Projection projection,
                  std::unique_ptr<Encoder> encoder);

  // The result points into this builder and is valid until the next Build; its values live as long
  // as its owner.
  Result<KafkaRows> Build(const RecordBatch& batch, TimePoint batch_time, const TopicLookup& lookup,
                          std::vector<RejectedRow>* rejected);

 private:
  void Reset(const RecordBatch& batch);
  void Refuse(size_t row, const char* reason, std::string message);
  ColumnRef Evaluate(const ProgramRef& program, const RecordBatch& batch, const std::string& what);
  void MarkTombstones(const RecordBatch& batch);
  void EncodeValues(const RecordBatch& projected);
  void FillKeys(const RecordBatch& batch);
  void FillHeaders(const RecordBatch& batch);
  void FillTimestamps(const RecordBatch& batch, TimePoint batch_time);
  Status FillTopics(const RecordBatch& batch, const TopicLookup& lookup);
  void FillPartitions(const RecordBatch& batch);
  void CheckSizes();
  KafkaRows Take(const RecordBatch& projected, std::vector<RejectedRow>* rejected);

  struct Refusal {
    size_t row;
    const char* reason;
    std::string message;
  };

  KafkaExpressions expressions_;
  std::string topic_;
  Projection projection_;
  std::unique_ptr<Encoder> encoder_;

  size_t rows_count_ = 0;
  std::vector<uint8_t> tombstone_;
  std::vector<uint8_t> refused_;
  std::vector<Refusal> refusals_;
  std::shared_ptr<std::string> bytes_;
  std::vector<ColumnRef> columns_;  // keep what the views below point into
  std::vector<size_t> ends_;
  std::vector<std::string_view> values_;
  std::vector<std::string_view> keys_;
  std::vector<KafkaRows::Header> headers_;
  std::vector<int64_t> timestamps_;
  std::vector<int32_t> partitions_;
  std::vector<int> topics_;
  std::vector<KafkaTopicFacts> facts_;  // of the batch's topics
  std::vector<uint32_t> fact_of_row_;
  std::vector<uint32_t> rows_;
};

}  // namespace millrace::worker
