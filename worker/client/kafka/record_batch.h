#pragma once

#include <cstdint>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::worker {

enum class KafkaCodec { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// One record batch of format 2 (kafka.apache.org/documentation/#recordbatch), big-endian:
//   baseOffset i64, batchLength i32 (of what follows), partitionLeaderEpoch i32, magic i8 = 2, crc
//   u32 (CRC-32C of what follows), attributes i16 (0-2 codec, 3 append time, 4 transactional, 5
//   control), lastOffsetDelta i32, baseTimestamp i64, maxTimestamp i64, producerId i64,
//   producerEpoch i16, baseSequence i32, records i32, then the records.
// A view; valid as long as the response.
struct KafkaRecordBatch {
  int64_t base_offset = 0;
  int64_t last_offset = 0;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  int64_t producer_id = -1;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t record_count = 0;
  std::string_view checked;  // what the CRC covers
  std::string_view records;  // perhaps compressed

  int codec() const { return attributes & 7; }
  bool has_append_time() const { return (attributes & 1 << 3) != 0; }
  bool transactional() const { return (attributes & 1 << 4) != 0; }
  bool control() const { return (attributes & 1 << 5) != 0; }
};

// Takes the batches of a response apart, one by one. A partial batch at the end, which brokers send
// when a size limit cuts it, ends the sequence. Thread-compatible.
class RecordBatchCursor {
 public:
  explicit RecordBatchCursor(std::string_view set) : rest_(set) {}

  // False at the end or behind an error.
  bool Next(KafkaRecordBatch* batch);
  // kInternal for what is no batch of format 2.
  const Status& status() const { return status_; }

 private:
  bool Fail(std::string message);

  std::string_view rest_;
  Status status_;
};

// The offset behind the last complete batch, without reading records; -1 when there is none.
int64_t OffsetBehind(std::string_view set);

// True for a control batch that ends its producer's transaction by aborting it.
bool IsAbortMarker(const KafkaRecordBatch& batch);

// kInternal unless the CRC is right.
Status CheckCrc(const KafkaRecordBatch& batch);

}  // namespace millrace::worker
