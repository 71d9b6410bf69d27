#pragma once

#include <cstddef>
#include <string>

#include "worker/data/raw_records.h"

namespace millrace::worker {

// The largest record that any format decodes. Sources that cut streams themselves may stop earlier.
inline constexpr size_t kMaxDecodedBytes = 64 << 20;

// "the record has 70000000 bytes, more than the limit of 64 MiB".
inline std::string TooLargeMessage(size_t bytes) {
  return "the record has " + std::to_string(bytes) + " bytes, more than the limit of 64 MiB";
}
inline bool IsNullRecord(const RawRecords& raw, size_t i) {
  return !raw.null_payload.empty() && raw.null_payload[i] != 0;
}
// What a null record without a row of nulls to stand for it is called.
inline constexpr const char* kNullRecordMessage =
    "the record is null (a tombstone); tombstones: Keep needs fields that are all nullable";

// True for payloads of white space only, which json and csv skip.
inline bool IsBlank(std::string_view payload) {
  for (const char c : payload) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return false;
  }
  return true;
}

}  // namespace millrace::worker
