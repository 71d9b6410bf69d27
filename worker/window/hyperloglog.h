#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// How many distinct hashes were added, within 0.8 % (standard error; 2^14 registers): Flajolet et
// al., "HyperLogLog", AofA 2007; estimator of Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches", 2017, section 3, which needs no bias tables. Registers that are set are
// listed while they are few. Merging commutes. At most 16 KB; thread-compatible.
class HyperLogLog {
 public:
  static constexpr int kPrecision = 14;
  static constexpr size_t kRegisters = size_t{1} << kPrecision;

  void Add(uint64_t hash);
  void Merge(const HyperLogLog& other);
  int64_t Estimate() const;
  bool empty() const { return sparse_.empty() && dense_.empty(); }
  // Format 1: byte 1, then "s" and little-endian uint32 (register << 8 | rank), ascending, or "d"
  // and one byte a register.
  void Encode(std::string* out) const;
  // Merges an encoded sketch; kInternal when the bytes are damaged.
  Status MergeEncoded(std::string_view bytes);
  size_t ByteSize() const { return sparse_.capacity() * 4 + dense_.capacity(); }

 private:
  void Set(uint32_t index, uint8_t rank);
  void MakeDense();

  std::vector<uint32_t> sparse_;  // index << 8 | rank, ascending
  std::vector<uint8_t> dense_;    // empty while sparse
};

}  // namespace millrace::worker
