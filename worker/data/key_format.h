#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "worker/data/column.h"

// Encoded keys: per key column, in order,
//   nullable types            0x00 for null | 0x01 then the value
//   bool                      0x00 | 0x01
//   int, timestamp, duration  8 bytes big-endian, sign bit flipped
//   uint                      8 bytes big-endian
//   double                    8 bytes big-endian of the bits, sign flipped if positive, else all
//   flipped; -0 as 0, one NaN string, bytes, json       the bytes with 0x00 as 0x00 0xff, then 0x00
//   0x00; bare when it is the only key column list                      per element 0x01 then the
//   element; 0x00 ends map                       as a list of key and value, sorted by key struct
//   its members
// memcmp order of encodings is value order. State on disk holds such keys: the format never
// changes.
namespace millrace::worker::key_format {

constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr uint64_t kNan = std::numeric_limits<uint64_t>::max();

inline uint64_t OrderedInt(int64_t value) { return static_cast<uint64_t>(value) ^ kSignBit; }
inline int64_t IntOf(uint64_t ordered) { return static_cast<int64_t>(ordered ^ kSignBit); }

inline uint64_t OrderedDouble(double value) {
  if (std::isnan(value)) return kNan;
  const auto bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return (bits & kSignBit) != 0 ? ~bits : bits ^ kSignBit;
}
inline double DoubleOf(uint64_t ordered) {
  if (ordered == kNan) return std::numeric_limits<double>::quiet_NaN();
  return std::bit_cast<double>((ordered & kSignBit) != 0 ? ordered ^ kSignBit : ~ordered);
}

inline char* PutBigEndian(uint64_t value, char* target) {
  const uint64_t swapped = __builtin_bswap64(value);
  std::memcpy(target, &swapped, sizeof swapped);
  return target + sizeof swapped;
}

inline bool IsBareText(const Type& type) { return type.is_binary() && !type.nullable(); }

}  // namespace millrace::worker::key_format
