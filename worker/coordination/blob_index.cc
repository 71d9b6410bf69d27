#include "worker/coordination/blob_index.h"

#include <algorithm>

namespace millrace::worker {

std::vector<BlobRef> BlobIndex::Commit() {
  std::vector<BlobRef> garbage;
  for (const Pending& pending : pending_) {
    UnitRefs& unit = units_[pending.key];
    committed_bytes_ += pending.ref.bytes;
    if (!pending.snapshot) {
      unit.deltas.push_back(pending.ref);
      unit.delta_bytes += pending.ref.bytes;
      continue;
    }
    if (unit.snapshot) garbage.push_back(*unit.snapshot);
    garbage.insert(garbage.end(), unit.deltas.begin(), unit.deltas.end());
    unit = {pending.ref, {}, 0};
  }
  for (const BlobRef& ref : garbage) committed_bytes_ -= ref.bytes;
  pending_.clear();
  return garbage;
}

std::vector<BlobRef> BlobIndex::Discard() {
  std::vector<BlobRef> garbage;
  for (const Pending& pending : pending_) garbage.push_back(pending.ref);
  pending_.clear();
  return garbage;
}

bool BlobIndex::WantsSnapshot(const Key& key) const {
  const UnitRefs* unit = Find(key);
  if (unit == nullptr) return false;
  const int64_t snapshot_bytes = unit->snapshot ? unit->snapshot->bytes : 0;
  return unit->deltas.size() >= kMaxDeltas ||
         unit->delta_bytes > std::max(kMinDeltaBytes, snapshot_bytes);
}

const UnitRefs* BlobIndex::Find(const Key& key) const {
  const auto it = units_.find(key);
  return it == units_.end() ? nullptr : &it->second;
}

}  // namespace millrace::worker
