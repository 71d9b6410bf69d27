#include "worker/state/key_table.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace millrace::worker {
namespace {

constexpr size_t kMinCapacity = 16;
// Keys in flight at once: enough to hide a miss in memory, few enough for their lines to stay in
// the nearest cache.
constexpr size_t kGroup = 32;
// Below this size garbage is not worth a copy.
constexpr size_t kMinGarbageBytes = 64 << 10;

// The first eight bytes as a number that orders like the bytes.
uint64_t OrderedPrefix(std::string_view key) {
  uint64_t prefix = 0;
  if (key.empty()) return prefix;  // of a keyless step; its data() may be null
  std::memcpy(&prefix, key.data(), std::min<size_t>(key.size(), sizeof prefix));
  return __builtin_bswap64(prefix);
}

}  // namespace

KeyTable::KeyTable() : arena_(std::make_unique<Arena>()) { Rehash(kMinCapacity); }

// Three passes over a group of keys, each touching only memory that the pass before asked for:
// slots, then the row's view, then its bytes. Keys that are not found go through the plain path,
// which inserts them in order.
size_t KeyTable::FindOrInsert(std::span<const std::string_view> keys,
                              std::span<const uint64_t> hashes, std::vector<uint32_t>* rows) {
  const size_t size_before = size_;
  rows->resize(keys.size());
  std::array<uint32_t, kGroup> candidates;
  for (size_t begin = 0; begin < keys.size(); begin += kGroup) {
    const size_t count = std::min(kGroup, keys.size() - begin);
    const std::string_view* group = keys.data() + begin;
    const uint64_t* group_hashes = hashes.data() + begin;
    for (size_t i = 0; i < count; ++i) __builtin_prefetch(&slots_[group_hashes[i] & mask_]);
    for (size_t i = 0; i < count; ++i) {
      candidates[i] = FirstWithHash(group_hashes[i]);
      if (candidates[i] != kNone) __builtin_prefetch(&keys_[candidates[i]]);
    }
    for (size_t i = 0; i < count; ++i) {
      if (candidates[i] != kNone) __builtin_prefetch(keys_[candidates[i]].data());
    }
    for (size_t i = 0; i < count; ++i) {
      bool inserted = false;
      const bool found = candidates[i] != kNone && keys_[candidates[i]] == group[i];
      (*rows)[begin + i] =
          found ? candidates[i] : FindOrInsert(group[i], group_hashes[i], &inserted);
    }
  }
  return size_ - size_before;
}

uint32_t KeyTable::FirstWithHash(uint64_t hash) const {
  for (size_t i = hash & mask_; slots_[i].row != kNone; i = (i + 1) & mask_) {
    if (slots_[i].hash == hash) return slots_[i].row;
  }
  return kNone;
}

uint32_t KeyTable::FindOrInsert(std::string_view key, uint64_t hash, bool* inserted) {
  size_t i = hash & mask_;
  for (; slots_[i].row != kNone; i = (i + 1) & mask_) {
    if (slots_[i].hash == hash && keys_[slots_[i].row] == key) {
      *inserted = false;
      return slots_[i].row;
    }
  }
  if ((size_ + 1) * 8 > slots_.size() * 7) {
    Rehash(slots_.size() * 2);
    for (i = hash & mask_; slots_[i].row != kNone; i = (i + 1) & mask_) {
    }
  }
  slots_[i] = {hash, NewRow(key, hash)};
  *inserted = true;
  return slots_[i].row;
}

uint32_t KeyTable::Find(std::string_view key, uint64_t hash) const {
  for (size_t i = hash & mask_; slots_[i].row != kNone; i = (i + 1) & mask_) {
    if (slots_[i].hash == hash && keys_[slots_[i].row] == key) return slots_[i].row;
  }
  return kNone;
}

void KeyTable::Find(std::span<const std::string_view> keys, std::span<const uint64_t> hashes,
                    std::vector<uint32_t>* rows) const {
  rows->resize(keys.size());
  for (size_t begin = 0; begin < keys.size(); begin += kGroup) {
    const size_t end = std::min(begin + kGroup, keys.size());
    for (size_t i = begin; i < end; ++i) __builtin_prefetch(&slots_[hashes[i] & mask_]);
    for (size_t i = begin; i < end; ++i) {
      (*rows)[i] = FirstWithHash(hashes[i]);
      if ((*rows)[i] != kNone) __builtin_prefetch(&keys_[(*rows)[i]]);
    }
    for (size_t i = begin; i < end; ++i) {
      if ((*rows)[i] != kNone) __builtin_prefetch(keys_[(*rows)[i]].data());
    }
    for (size_t i = begin; i < end; ++i) {
      const bool decided = (*rows)[i] == kNone || keys_[(*rows)[i]] == keys[i];
      if (!decided) (*rows)[i] = Find(keys[i], hashes[i]);
    }
  }
}

void KeyTable::Erase(uint32_t row) {
  size_t hole = row_hashes_[row] & mask_;
  while (slots_[hole].row != row) hole = (hole + 1) & mask_;
  // A later slot moves into the hole unless its own home lies cyclically behind the hole.
  for (size_t i = (hole + 1) & mask_; slots_[i].row != kNone; i = (i + 1) & mask_) {
    const size_t home = slots_[i].hash & mask_;
    if (((i - home) & mask_) < ((i - hole) & mask_)) continue;
    slots_[hole] = slots_[i];
    hole = i;
  }
  slots_[hole].row = kNone;
  live_key_bytes_ -= keys_[row].size();
  keys_[row] = {};
  live_[row] = 0;
  free_.push_back(row);
  --size_;
}

std::vector<uint32_t> KeyTable::SortedRows() const {
  std::vector<uint32_t> rows;
  rows.reserve(size_);
  for (uint32_t row = 0; row < keys_.size(); ++row) {
    if (live_[row] != 0) rows.push_back(row);
  }
  SortByKey(&rows);
  return rows;
}

void KeyTable::SortByKey(std::vector<uint32_t>* rows) const {
  std::vector<std::pair<uint64_t, uint32_t>> order(rows->size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = {OrderedPrefix(keys_[(*rows)[i]]), (*rows)[i]};
  }
  std::sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : keys_[a.second] < keys_[b.second];
  });
  for (size_t i = 0; i < order.size(); ++i) (*rows)[i] = order[i].second;
}

size_t KeyTable::ByteSize() const {
  return slots_.size() * sizeof(Slot) +
         keys_.size() * (sizeof(std::string_view) + sizeof(uint64_t) + 1) +
         free_.size() * sizeof(uint32_t) + arena_->used_bytes();
}

void KeyTable::CompactIfSparse() {
  const size_t used = arena_->used_bytes();
  if (used - live_key_bytes_ < std::max(live_key_bytes_, kMinGarbageBytes)) return;
  auto fresh = std::make_unique<Arena>();
  for (std::string_view& key : keys_) key = fresh->Copy(key);
  arena_ = std::move(fresh);
}

void KeyTable::Clear() {
  size_ = 0;
  live_key_bytes_ = 0;
  keys_.clear();
  row_hashes_.clear();
  live_.clear();
  free_.clear();
  arena_ = std::make_unique<Arena>();
  slots_.clear();
  Rehash(kMinCapacity);
}

void KeyTable::Rehash(size_t capacity) {
  std::vector<Slot> old(capacity, Slot{0, kNone});
  old.swap(slots_);
  mask_ = capacity - 1;
  for (const Slot& slot : old) {
    if (slot.row == kNone) continue;
    size_t i = slot.hash & mask_;
    while (slots_[i].row != kNone) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

uint32_t KeyTable::NewRow(std::string_view key, uint64_t hash) {
  ++size_;
  live_key_bytes_ += key.size();
  const std::string_view copy = arena_->Copy(key);
  if (free_.empty()) {
    keys_.push_back(copy);
    row_hashes_.push_back(hash);
    live_.push_back(1);
    return static_cast<uint32_t>(keys_.size() - 1);
  }
  const uint32_t row = free_.back();
  free_.pop_back();
  keys_[row] = copy;
  row_hashes_[row] = hash;
  live_[row] = 1;
  return row;
}

}  // namespace millrace::worker
