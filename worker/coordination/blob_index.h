#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::worker {

// Where one blob's bytes are: an offset in the current log segment, or a slot number in memory.
struct BlobRef {
  uint64_t place = 0;
  uint32_t bytes = 0;
};

struct UnitRefs {
  std::optional<BlobRef> snapshot;
  std::vector<BlobRef> deltas;
  int64_t delta_bytes = 0;
};

// Which blobs make up each unit's state: committed ones, and those of the batch in work.
// Thread-compatible.
class BlobIndex {
 public:
  using Key = std::pair<std::string, int>;  // stage, unit

  // Deltas may reach the snapshot's size, but not below this, before a new snapshot is wanted; nor
  // more in number.
  static constexpr int64_t kMinDeltaBytes = 64 << 10;
  static constexpr size_t kMaxDeltas = 64;

  void Put(const Key& key, bool snapshot, BlobRef ref) { pending_.push_back({key, snapshot, ref}); }
  // Makes the pending blobs count; returns the refs that nothing needs any more.
  std::vector<BlobRef> Commit();
  // Returns the refs of the pending blobs and forgets them.
  std::vector<BlobRef> Discard();
  bool WantsSnapshot(const Key& key) const;
  const UnitRefs* Find(const Key& key) const;
  std::map<Key, UnitRefs>& units() { return units_; }
  const std::map<Key, UnitRefs>& units() const { return units_; }
  int64_t committed_bytes() const { return committed_bytes_; }

 private:
  struct Pending {
    Key key;
    bool snapshot;
    BlobRef ref;
  };
  std::map<Key, UnitRefs> units_;
  std::vector<Pending> pending_;
  int64_t committed_bytes_ = 0;
};

}  // namespace millrace::worker
