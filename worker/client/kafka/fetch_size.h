#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "worker/client/kafka/cluster.h"

namespace millrace::worker {

// How much to ask for so that a short range does not bring megabytes that nobody wants: bytes per
// offset are remembered per partition. Thread-safe. At most kMaxPartitions are remembered.
class FetchSize {
 public:
  static constexpr size_t kMaxPartitions = 100'000;

  // Bytes that should hold `offsets` more offsets, at most `limit`.
  int Bytes(const KafkaPartition& where, int64_t offsets, int limit) const;
  void Note(const KafkaPartition& where, int64_t bytes, int64_t offsets);

 private:
  mutable std::mutex mutex_;
  std::map<KafkaPartition, double> bytes_per_offset_;  // guarded by mutex_
};

}  // namespace millrace::worker
