#include "worker/client/kafka/fetch_size.h"

#include <algorithm>

namespace millrace::worker {
namespace {

constexpr double kFirstGuess = 1024;  // bytes per offset
constexpr double kMargin = 1.1;
constexpr double kBatchMargin = 128 << 10;  // the last batch must fit whole

}  // namespace

int FetchSize::Bytes(const KafkaPartition& where, int64_t offsets, int limit) const {
  double each = kFirstGuess;
  {
    std::lock_guard lock(mutex_);
    if (const auto known = bytes_per_offset_.find(where); known != bytes_per_offset_.end())
      each = known->second;
  }
  return static_cast<int>(
      std::min<double>(limit, each * static_cast<double>(offsets) * kMargin + kBatchMargin));
}

void FetchSize::Note(const KafkaPartition& where, int64_t bytes, int64_t offsets) {
  if (bytes <= 0 || offsets <= 0) return;
  std::lock_guard lock(mutex_);
  if (bytes_per_offset_.size() >= kMaxPartitions) bytes_per_offset_.clear();
  bytes_per_offset_[where] = static_cast<double>(bytes) / static_cast<double>(offsets);
}

}  // namespace millrace::worker
