#include "worker/client/kafka/record_columns.h"

#include <numeric>
#include <string>

namespace millrace::worker {
namespace {

constexpr size_t kMinRecordBytes =
    7;  // length, attributes, two deltas, two lengths, number of headers

// Varints of a record's head are read without looking at the end: a head has at most 41 bytes
// before the first check, and the padding has 64. An over-long varint yields a value that the
// checks refuse.
[[gnu::noinline]] uint64_t ReadLongUvarint(const char*& position) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const auto byte = static_cast<uint8_t>(*position++);
    if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

[[gnu::always_inline]] inline int64_t ReadVarint(const char*& position) {
  uint64_t value = static_cast<uint8_t>(position[0]);
  if (value < 0x80) [[likely]] {
    ++position;
  } else if (const auto second = static_cast<uint8_t>(position[1]); second < 0x80) {
    value = (value & 0x7f) | static_cast<uint64_t>(second) << 7;
    position += 2;
  } else {
    value = ReadLongUvarint(position);
  }
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

// Reads a length, and the bytes behind it inside `end`. False when they do not fit. -1 is null.
[[gnu::always_inline]] inline bool ReadBytes(const char*& position, const char* end,
                                             std::string_view* bytes, bool* null) {
  const int64_t size = ReadVarint(position);
  *null = size < 0;
  if (size < -1 || position > end || size > end - position) return false;
  *bytes = std::string_view(position, size < 0 ? 0 : static_cast<size_t>(size));
  position += bytes->size();
  return true;
}

// Marks of nulls, written from the first null on.
class NullMarks {
 public:
  // `rows`: how many there may be.
  NullMarks(std::vector<uint8_t>* marks, size_t rows) : marks_(marks), rows_(rows) {
    if (!marks_->empty()) Open();
  }
  void Set(size_t row, bool null) {
    if (null && data_ == nullptr) [[unlikely]]
      Open();
    if (data_ != nullptr) data_[row] = null ? 1 : 0;
  }
  void Finish(size_t rows) {
    if (data_ != nullptr) marks_->resize(rows);
  }

 private:
  void Open() {
    marks_->resize(rows_);
    data_ = marks_->data();
  }

  std::vector<uint8_t>* marks_;
  size_t rows_;
  uint8_t* data_ = nullptr;
};

Status Malformed(const KafkaRecordBatch& batch, int32_t record) {
  return InternalError("malformed record " + std::to_string(record) + " of the batch at offset " +
                       std::to_string(batch.base_offset));
}

// Room for `count` more rows at the end of the columns, and what was filled of it.
template <bool kKeys, bool kTimestamps, bool kHeaders>
class Appender {
 public:
  Appender(KafkaRecords* out, size_t count)
      : out_(out),
        row_(out->values.size()),
        null_values_(&out->null_values, row_ + count),
        null_keys_(&out->null_keys, row_ + count) {
    Resize(row_ + count);
    values_ = out->values.data();
    keys_ = out->keys.data();
    timestamps_ms_ = out->timestamps_ms.data();
    headers_ = out->headers.data();
    if (out_->offsets.empty() && row_ > 0) {
      next_offset_ = out_->first_offset + static_cast<int64_t>(row_);
    }
  }

  [[gnu::always_inline]] void Add(int64_t offset, std::string_view key, bool null_key,
                                  std::string_view value, bool null_value, int64_t timestamp_ms,
                                  std::string_view headers) {
    AddOffset(offset);
    values_[row_] = value;
    null_values_.Set(row_, null_value);
    if constexpr (kKeys) {
      keys_[row_] = key;
      null_keys_.Set(row_, null_key);
    }
    if constexpr (kTimestamps) timestamps_ms_[row_] = timestamp_ms;
    if constexpr (kHeaders) headers_[row_] = headers;
    ++row_;
  }

  void Finish() {
    Resize(row_);
    null_values_.Finish(row_);
    null_keys_.Finish(row_);
  }

 private:
  void Resize(size_t rows) {
    out_->values.resize(rows);
    if constexpr (kKeys) out_->keys.resize(rows);
    if constexpr (kTimestamps) out_->timestamps_ms.resize(rows);
    if constexpr (kHeaders) out_->headers.resize(rows);
  }

  // Offsets are only written down from the first gap on.
  void AddOffset(int64_t offset) {
    if (offset == next_offset_) [[likely]] {
      ++next_offset_;
      return;
    }
    AddOffsetBehindGap(offset);
  }

  [[gnu::noinline]] void AddOffsetBehindGap(int64_t offset) {
    if (row_ == 0) {
      out_->first_offset = offset;
      next_offset_ = offset + 1;
      return;
    }
    if (out_->offsets.empty()) {
      out_->offsets.resize(row_);
      std::iota(out_->offsets.begin(), out_->offsets.end(), out_->first_offset);
      next_offset_ = -1;
    }
    out_->offsets.push_back(offset);
  }

  KafkaRecords* out_;
  size_t row_;
  NullMarks null_values_;
  NullMarks null_keys_;
  std::string_view* values_;
  std::string_view* keys_;
  int64_t* timestamps_ms_;
  std::string_view* headers_;
  int64_t next_offset_ = -1;  // that needs no writing down
};

template <bool kKeys, bool kTimestamps, bool kHeaders>
Status Append(const KafkaRecordBatch& batch, std::string_view payload, OffsetWindow window,
              KafkaRecords* out) {
  const char* position = payload.data();
  const char* const end = position + payload.size();
  const bool append_time = batch.has_append_time();
  int64_t last_delta = -1;
  Appender<kKeys, kTimestamps, kHeaders> rows(out, static_cast<size_t>(batch.record_count));
  for (int32_t i = 0; i < batch.record_count; ++i) {
    if (position >= end) return Malformed(batch, i);
    const int64_t length = ReadVarint(position);
    if (length < 0 || position > end || length > end - position) return Malformed(batch, i);
    const char* const record_end = position + length;
    ++position;  // attributes, unused
    const int64_t timestamp_delta = ReadVarint(position);
    const int64_t delta = ReadVarint(position);
    std::string_view key;
    std::string_view value;
    bool null_key;
    bool null_value;
    if (delta <= last_delta || delta > batch.last_offset - batch.base_offset ||
        !ReadBytes(position, record_end, &key, &null_key) || position >= record_end ||
        !ReadBytes(position, record_end, &value, &null_value)) {
      return Malformed(batch, i);
    }
    last_delta = delta;
    const int64_t offset = batch.base_offset + delta;
    if (offset >= window.from && offset < window.to) [[likely]] {
      const int64_t timestamp =
          append_time ? batch.max_timestamp_ms
                      : static_cast<int64_t>(static_cast<uint64_t>(batch.base_timestamp_ms) +
                                             static_cast<uint64_t>(timestamp_delta));
      rows.Add(offset, key, null_key, value, null_value, timestamp,
               std::string_view(position, static_cast<size_t>(record_end - position)));
    }
    position = record_end;
  }
  rows.Finish();
  return OkStatus();
}

}  // namespace

Status AppendRecords(const KafkaRecordBatch& batch, std::string_view payload, OffsetWindow window,
                     KafkaColumns columns, KafkaRecords* out) {
  if (static_cast<size_t>(batch.record_count) > payload.size() / kMinRecordBytes) {
    return InternalError("the record batch at offset " + std::to_string(batch.base_offset) +
                         " says it has " + std::to_string(batch.record_count) +
                         " records, which its " + std::to_string(payload.size()) +
                         " bytes cannot hold");
  }
  using Function =
      Status (*)(const KafkaRecordBatch&, std::string_view, OffsetWindow, KafkaRecords*);
  static constexpr Function kFunctions[] = {
      &Append<false, false, false>, &Append<true, false, false>, &Append<false, true, false>,
      &Append<true, true, false>,   &Append<false, false, true>, &Append<true, false, true>,
      &Append<false, true, true>,   &Append<true, true, true>};
  const int which =
      (columns.keys ? 1 : 0) + (columns.timestamps ? 2 : 0) + (columns.headers ? 4 : 0);
  return kFunctions[which](batch, payload, window, out);
}

}  // namespace millrace::worker
