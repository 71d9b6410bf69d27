#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/state/key_table.h"
#include "worker/step/change_set.h"
#include "worker/step/due_queue.h"

namespace millrace::worker {

// Times of kept records by key: what dedup remembers of one key group. A key has several when its
// kept records lie more than `within` apart and none has expired. Thread-compatible.
class DedupState {
 public:
  // `within` in microseconds.
  explicit DedupState(int64_t within) : within_(within), due_(within / kBucketsPerSpan) {}

  // True, and remembered, unless a kept record of the key is at most `within` away. `row` is the
  // key's row in keys().
  bool Keep(uint32_t row, int64_t time);
  KeyTable& keys() { return keys_; }
  const KeyTable& keys() const { return keys_; }

  // Forgets records whose time + within is before `now`.
  void Expire(int64_t now);
  bool HasExpired(int64_t now) const { return due_.next() < now; }

  // Format 1: u8 version, u8 1 for a snapshot, erased keys, then key and times of each changed key
  // (WireWriter).
  void Encode(bool snapshot, std::string* out) const;
  Status Apply(std::string_view blob);
  void Settle() { changes_.Clear(); }
  int64_t bytes() const;

 private:
  static constexpr int64_t kBucketsPerSpan = 64;
  static constexpr uint32_t kEnd = UINT32_MAX;
  struct Kept {
    int64_t time;
    uint32_t row;
    uint32_t next;
  };
  void Push(uint32_t row, int64_t time);
  void Remove(uint32_t kept);

  int64_t within_;
  KeyTable keys_;
  std::vector<uint32_t> heads_;  // by key row
  std::vector<Kept> kept_;
  std::vector<uint32_t> free_;
  DueQueue due_;  // ids are indexes of kept_
  ChangeSet changes_;
};

}  // namespace millrace::worker
