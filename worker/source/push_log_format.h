#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "worker/source/push_log.h"

// Format, version 1, little-endian. A directory holds segments named <16 hex digits of their first
// sequence>.seg:
//   segment = "MRPL" u32:version u64:first-sequence u64:digest-high u64:digest-low group*
//   group   = u32:payload-bytes u32:records u32:checksum payload     one write, one sync
//   payload = (u32:length bytes)*
// The checksum is the low half of XXH3-64 over payload-bytes, records and payload. The digest of a
// segment is that of everything before it: digest(after group) = XXH3-128(digest-high digest-low
// payload); inside a group, of the payload's part before the record asked for.
namespace millrace::worker::push_log {

inline constexpr std::string_view kMagic = "MRPL";
inline constexpr uint32_t kVersion = 1;
inline constexpr size_t kSegmentHeaderBytes = 4 + 4 + 8 + 16;
inline constexpr size_t kGroupHeaderBytes = 12;
inline constexpr std::string_view kSuffix = ".seg";

// The digest behind `payload`, from the one before it.
ChainDigest Chain(ChainDigest before, std::string_view payload);
uint32_t Checksum(uint32_t bytes, uint32_t records, std::string_view payload);
// 16 digits.
std::string Hex(uint64_t value);
void AppendRecord(std::string_view record, std::string* out);

// Calls visit(record, bytes before it) for each record of a payload; false when the lengths do not
// add up.
template <typename Visit>
bool ForEachRecord(std::string_view payload, uint64_t count, const Visit& visit) {
  size_t at = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (payload.size() - at < 4) return false;
    uint32_t length;
    std::memcpy(&length, payload.data() + at, 4);
    if (payload.size() - at - 4 < length) return false;
    visit(payload.substr(at + 4, length), at);
    at += 4 + length;
  }
  return at == payload.size();
}

}  // namespace millrace::worker::push_log
