#pragma once

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/client/kafka/crc32c.h"
#include "worker/client/kafka/record_batch.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {

struct BatchSpec {
  int64_t base_offset = 0;
  int codec = 0;
  int16_t flags = 0;  // further attributes
  int64_t base_timestamp_ms = 1000;
  int64_t max_timestamp_ms = 2000;
  int64_t producer_id = -1;
  bool java_snappy = false;
  std::optional<int32_t> last_delta{};    // the last record's when unset
  std::optional<int32_t> record_count{};  // the true one when unset
};

// Writes record batches as a producer would. For tests. Thread-compatible.
class BatchBuilder {
 public:
  static constexpr int16_t kAppendTime = 1 << 3;
  static constexpr int16_t kTransactional = 1 << 4;
  static constexpr int16_t kControl = 1 << 5;
  using Text = std::optional<std::string_view>;

  explicit BatchBuilder(BatchSpec spec) : spec_(spec) {}

  BatchBuilder& Add(Text key, Text value,
                    std::vector<std::pair<std::string_view, Text>> headers = {}) {
    return AddAt(next_delta_, std::move(key), std::move(value), std::move(headers));
  }
  // The record's time is `delta` milliseconds after the base.
  BatchBuilder& AddAt(int32_t delta, Text key, Text value,
                      std::vector<std::pair<std::string_view, Text>> headers = {}) {
    std::string record;
    KafkaWriter writer(&record);
    writer.I8(0);
    writer.Varint(delta);
    writer.Varint(delta);
    AddBytes(key, &writer);
    AddBytes(value, &writer);
    writer.Varint(static_cast<int64_t>(headers.size()));
    for (const auto& [name, content] : headers) {
      AddBytes(name, &writer);
      AddBytes(content, &writer);
    }
    KafkaWriter out(&records_);
    out.Varint(static_cast<int64_t>(record.size()));
    out.Raw(record);
    next_delta_ = delta + 1;
    ++count_;
    return *this;
  }

  std::string Build() const {
    const std::string payload = Pack();
    std::string checked;
    KafkaWriter body(&checked);
    body.I16(static_cast<int16_t>(spec_.flags | spec_.codec));
    body.I32(spec_.last_delta.value_or(next_delta_ - 1));
    body.I64(spec_.base_timestamp_ms);
    body.I64(spec_.max_timestamp_ms);
    body.I64(spec_.producer_id);
    body.I16(0);
    body.I32(-1);
    body.I32(spec_.record_count.value_or(count_));
    body.Raw(payload);
    std::string batch;
    KafkaWriter head(&batch);
    head.I64(spec_.base_offset);
    head.I32(static_cast<int32_t>(checked.size() + 9));
    head.I32(0);
    head.I8(2);
    head.I32(static_cast<int32_t>(Crc32c(checked)));
    head.Raw(checked);
    return batch;
  }

  // The marker that ends a transaction.
  static std::string Marker(int64_t offset, int64_t producer_id, bool commit) {
    const std::string key = commit ? std::string("\0\0\0\1", 4) : std::string("\0\0\0\0", 4);
    BatchBuilder builder(
        {.base_offset = offset, .flags = kTransactional | kControl, .producer_id = producer_id});
    return builder.Add(key, std::string_view("\0\0\0\0\0\0", 6)).Build();
  }

 private:
  static void AddBytes(Text bytes, KafkaWriter* writer) {
    writer->Varint(bytes ? static_cast<int64_t>(bytes->size()) : -1);
    if (bytes) writer->Raw(*bytes);
  }

  std::string Pack() const {
    std::string out(records_.size() * 2 + 1024, '\0');
    size_t size = out.size();
    switch (static_cast<KafkaCodec>(spec_.codec)) {
      case KafkaCodec::kNone:
        return records_;
      case KafkaCodec::kGzip:
        return Gzip(std::move(out));
      case KafkaCodec::kSnappy:
        snappy_compress(records_.data(), records_.size(), out.data(), &size);
        out.resize(size);
        return spec_.java_snappy ? JavaFrame(out) : out;
      case KafkaCodec::kLz4:
        out.resize(LZ4F_compressFrame(out.data(), size, records_.data(), records_.size(), nullptr));
        return out;
      case KafkaCodec::kZstd:
        out.resize(ZSTD_compress(out.data(), size, records_.data(), records_.size(), 3));
        return out;
    }
    return records_;  // an unknown codec
  }

  std::string Gzip(std::string out) const {
    z_stream stream{};
    deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(records_.data()));
    stream.avail_in = static_cast<uInt>(records_.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
  }

  // In two chunks, the second of them empty.
  static std::string JavaFrame(const std::string& block) {
    std::string out("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    KafkaWriter writer(&out);
    writer.I32(static_cast<int32_t>(block.size()));
    writer.Raw(block);
    writer.I32(1);
    writer.Raw(std::string_view("\0", 1));
    return out;
  }

  BatchSpec spec_;
  std::string records_;
  int32_t next_delta_ = 0;
  int32_t count_ = 0;
};

}  // namespace millrace::worker
