#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// Quantiles within 1 % of the value: Masson, Rim and Lee, "DDSketch", VLDB 2019. Buckets grow by (1
// + 0.01) / (1 - 0.01); each sign has at most kMaxBuckets buckets, beyond which those nearest to
// zero share one. Merging commutes and does not depend on how values were split, so neither do
// results. Thread-compatible.
class QuantileSketch {
 public:
  static constexpr double kAccuracy = 0.01;
  static constexpr int kMaxBuckets = 4096;

  // Infinities count as the largest double. Requires: not NaN.
  void Add(double value);
  // The value of rank floor(q * (count - 1)). Requires: count() > 0, 0 <= q <= 1.
  double Quantile(double q) const;
  int64_t count() const { return count_; }
  // Format 1: byte 1; doubles min, max; int64 zeros; per sign (negative first) uint32 n, int32
  // first bucket, n int64 counts.
  void Encode(std::string* out) const;
  Status MergeEncoded(std::string_view bytes);
  size_t ByteSize() const {
    return (positive_.counts.capacity() + negative_.counts.capacity()) * 8;
  }

 private:
  // Counts of consecutive buckets.
  struct Buckets {
    int32_t first = 0;
    std::vector<int64_t> counts;
    void Add(int32_t bucket, int64_t count);
  };

  double min_ = 0;
  double max_ = 0;
  int64_t count_ = 0;
  int64_t zeros_ = 0;
  Buckets positive_;
  Buckets negative_;
};

}  // namespace millrace::worker
