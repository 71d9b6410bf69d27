#include "worker/state/key_table.h"

#include <algorithm>
#include <cstring>

namespace millrace::worker {
namespace {

constexpr size_t kMinCapacity = 8;
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
  for (size_t begin = 0; begin < keys.size(); begin += kGroup) {
    const size_t end = std::min(begin + kGroup, keys.size());
    FindCandidates(hashes.subspan(begin, end - begin), rows->data() + begin);
    for (size_t i = begin; i < end; ++i) {
      uint32_t& row = (*rows)[i];
      bool inserted = false;
      if (row == kNone || keys_[row] != keys[i]) {
        row = FindOrInsert(keys[i], hashes[i], &inserted);
      }
    }
  }
  return size_ - size_before;
}

// rows[i] = the first row with the tag of hashes[i], kNone where there is none.
void KeyTable::FindCandidates(std::span<const uint64_t> hashes, uint32_t* rows) const {
  const Slot* slots = slots_.data();
  const uint32_t mask = mask_;
  for (const uint64_t hash : hashes) __builtin_prefetch(&slots[hash & mask]);
  for (size_t i = 0; i < hashes.size(); ++i) {
    const auto tag = static_cast<uint32_t>(hashes[i]);
    uint32_t at = tag & mask;
    while (slots[at].tag != tag && slots[at].row != kNone) at = (at + 1) & mask;
    rows[i] = slots[at].row;
    if (rows[i] != kNone) __builtin_prefetch(&keys_[rows[i]]);
  }
  for (size_t i = 0; i < hashes.size(); ++i) {
    if (rows[i] != kNone) __builtin_prefetch(keys_[rows[i]].data());
  }
}

uint32_t KeyTable::FindOrInsert(std::string_view key, uint64_t hash, bool* inserted) {
  const auto tag = static_cast<uint32_t>(hash);
  uint32_t i = tag & mask_;
  for (; slots_[i].row != kNone; i = (i + 1) & mask_) {
    if (slots_[i].tag == tag && keys_[slots_[i].row] == key) {
      *inserted = false;
      return slots_[i].row;
    }
  }
  if ((size_ + 1) * 2 > slots_.size()) {
    Rehash(slots_.size() * 2);
    for (i = tag & mask_; slots_[i].row != kNone; i = (i + 1) & mask_) {
    }
  }
  slots_[i] = {tag, NewRow(key, hash)};
  *inserted = true;
  return slots_[i].row;
}

uint32_t KeyTable::Find(std::string_view key, uint64_t hash) const {
  const auto tag = static_cast<uint32_t>(hash);
  for (uint32_t i = tag & mask_; slots_[i].row != kNone; i = (i + 1) & mask_) {
    if (slots_[i].tag == tag && keys_[slots_[i].row] == key) return slots_[i].row;
  }
  return kNone;
}

void KeyTable::Find(std::span<const std::string_view> keys, std::span<const uint64_t> hashes,
                    std::vector<uint32_t>* rows) const {
  rows->resize(keys.size());
  for (size_t begin = 0; begin < keys.size(); begin += kGroup) {
    const size_t end = std::min(begin + kGroup, keys.size());
    FindCandidates(hashes.subspan(begin, end - begin), rows->data() + begin);
    for (size_t i = begin; i < end; ++i) {
      const bool decided = (*rows)[i] == kNone || keys_[(*rows)[i]] == keys[i];
      if (!decided) (*rows)[i] = Find(keys[i], hashes[i]);
    }
  }
}

void KeyTable::Erase(uint32_t row) {
  uint32_t hole = static_cast<uint32_t>(row_hashes_[row]) & mask_;
  while (slots_[hole].row != row) hole = (hole + 1) & mask_;
  // A later slot moves into the hole unless its own home lies cyclically behind the hole.
  for (uint32_t i = (hole + 1) & mask_; slots_[i].row != kNone; i = (i + 1) & mask_) {
    const uint32_t home = slots_[i].tag & mask_;
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
  mask_ = static_cast<uint32_t>(capacity - 1);
  for (const Slot& slot : old) {
    if (slot.row == kNone) continue;
    uint32_t i = slot.tag & mask_;
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
