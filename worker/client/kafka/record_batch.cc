#include "worker/client/kafka/record_batch.h"

#include <string>
#include <utility>

#include "worker/client/kafka/crc32c.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {
namespace {

constexpr size_t kLengthEnd = 12;  // baseOffset, batchLength
constexpr size_t kMagicOffset = 16;
constexpr size_t kCheckedOffset = 21;
constexpr size_t kHeaderBytes = 61;
constexpr int kMagic = 2;
constexpr int16_t kAbortMarker = 0;

}  // namespace

bool RecordBatchCursor::Fail(std::string message) {
  status_ = InternalError(std::move(message));
  rest_ = {};
  return false;
}

bool RecordBatchCursor::Next(KafkaRecordBatch* batch) {
  if (rest_.size() <= kMagicOffset) return false;
  const char* data = rest_.data();
  const auto length = LoadBigEndian<int32_t>(data + 8);
  const int magic = data[kMagicOffset];
  if (magic != kMagic) {
    return Fail("record batch of format " + std::to_string(magic) +
                (magic == 0 || magic == 1
                     ? ", written before Kafka 0.11; rewrite the topic to read it"
                     : ", which does not exist"));
  }
  if (length < static_cast<int32_t>(kHeaderBytes - kLengthEnd))
    return Fail("record batch shorter than its header");
  const size_t size = kLengthEnd + static_cast<size_t>(length);
  if (size > rest_.size()) return false;
  batch->base_offset = LoadBigEndian<int64_t>(data);
  batch->crc = LoadBigEndian<uint32_t>(data + 17);
  batch->attributes = LoadBigEndian<int16_t>(data + 21);
  const auto last_delta = LoadBigEndian<int32_t>(data + 23);
  batch->base_timestamp_ms = LoadBigEndian<int64_t>(data + 27);
  batch->max_timestamp_ms = LoadBigEndian<int64_t>(data + 35);
  batch->producer_id = LoadBigEndian<int64_t>(data + 43);
  batch->record_count = LoadBigEndian<int32_t>(data + 57);
  if (batch->base_offset < 0 || batch->base_offset > INT64_MAX - INT32_MAX - 1 || last_delta < 0 ||
      batch->record_count < 0) {
    return Fail("record batch with a negative or too large offset or count");
  }
  batch->last_offset = batch->base_offset + last_delta;
  batch->checked = rest_.substr(kCheckedOffset, size - kCheckedOffset);
  batch->records = rest_.substr(kHeaderBytes, size - kHeaderBytes);
  rest_.remove_prefix(size);
  return true;
}

int64_t OffsetBehind(std::string_view set) {
  RecordBatchCursor cursor(set);
  KafkaRecordBatch batch;
  int64_t behind = -1;
  while (cursor.Next(&batch)) behind = batch.last_offset + 1;
  return behind;
}

// A control record's key is version i16, type i16 (0 abort, 1 commit); the first record of the
// batch counts.
bool IsAbortMarker(const KafkaRecordBatch& batch) {
  if (!batch.control() || batch.record_count == 0) return false;
  KafkaReader reader(batch.records);
  reader.Varint();  // length
  reader.I8();      // attributes
  reader.Varint();  // timestamp delta
  reader.Varint();  // offset delta
  if (reader.Varint() < 4) return false;
  reader.I16();  // version
  return reader.I16() == kAbortMarker && reader.ok();
}

Status CheckCrc(const KafkaRecordBatch& batch) {
  if (Crc32c(batch.checked) == batch.crc) return OkStatus();
  return InternalError("CRC mismatch in the record batch at offset " +
                       std::to_string(batch.base_offset) +
                       ": damaged on the broker's disk or on the way");
}

}  // namespace millrace::worker
