#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// Bytes that may be read behind every payload of KafkaRecords, so that parsers can load whole
// words.
inline constexpr size_t kKafkaPadding = 64;

// Records of one partition as columns: views into `owners`, which keep the response they came in.
// Every payload is followed by at least kKafkaPadding readable bytes of the same allocation. A
// value; a kept copy pins the whole response.
struct KafkaRecords {
  std::vector<std::string_view> values;
  std::vector<uint8_t> null_values;  // 1 where the value is null; empty: none is
  int64_t first_offset = -1;
  std::vector<int64_t> offsets;  // empty: first_offset + i
  // The rest only when asked for.
  std::vector<std::string_view> keys;
  std::vector<uint8_t> null_keys;  // 1 where the key is null; empty: none is
  std::vector<int64_t> timestamps_ms;
  std::vector<std::string_view> headers;  // see ForEachKafkaHeader
  std::vector<std::shared_ptr<const void>> owners;

  size_t size() const { return values.size(); }
  int64_t offset(size_t i) const {
    return offsets.empty() ? first_offset + static_cast<int64_t>(i) : offsets[i];
  }
};

// Which columns besides values and offsets.
struct KafkaColumns {
  bool keys = false;
  bool timestamps = false;
  bool headers = false;
};

// Takes the records; called once per 64 to 1024 KiB, never per record. An error ends the fetch.
using KafkaVisitor = std::function<Status(KafkaRecords)>;

// One header of a record.
struct KafkaHeader {
  std::string_view name;
  std::string_view value;
  bool null = false;
};

// Calls `visit` for each header of a record's section, an element of KafkaRecords::headers (count
// and headers as Kafka's record format 2 has them), in the order they were produced. kInternal for
// a malformed section.
Status ForEachKafkaHeader(std::string_view section,
                          const std::function<void(const KafkaHeader&)>& visit);

}  // namespace millrace::worker
