#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace millrace::worker {

// What falls due when: ids in buckets of `width` microseconds, so that adding and taking cost O(1)
// per id plus O(log n) per bucket (the idea of hashed timing wheels: Varghese and Lauck, SOSP
// 1987). A due time may be put off without telling the queue: whoever takes an id checks it and
// adds it again. Thread-compatible.
class DueQueue {
 public:
  explicit DueQueue(int64_t width) : width_(width > 0 ? width : 1) {}

  void Add(int64_t due, uint32_t id) {
    Bucket& bucket = buckets_[due / width_];
    bucket.first = std::min(bucket.first, due);
    bucket.entries.push_back({due, id});
  }
  // Earliest due time; the end of time when empty. O(1).
  int64_t next() const { return buckets_.empty() ? INT64_MAX : buckets_.begin()->second.first; }
  // Removes and returns the ids due at or before `now`.
  std::vector<uint32_t> Take(int64_t now) {
    std::vector<uint32_t> taken;
    while (!buckets_.empty() && buckets_.begin()->second.first <= now) {
      Bucket bucket = std::move(buckets_.begin()->second);
      buckets_.erase(buckets_.begin());
      std::vector<Entry> later;
      for (const Entry& entry : bucket.entries) {
        if (entry.due <= now) {
          taken.push_back(entry.id);
        } else {
          later.push_back(entry);
        }
      }
      for (const Entry& entry : later) Add(entry.due, entry.id);
      if (!later.empty()) break;
    }
    return taken;
  }
  void Clear() { buckets_.clear(); }

 private:
  struct Entry {
    int64_t due;
    uint32_t id;
  };
  struct Bucket {
    int64_t first = INT64_MAX;
    std::vector<Entry> entries;
  };

  int64_t width_;
  std::map<int64_t, Bucket> buckets_;
};

}  // namespace millrace::worker
