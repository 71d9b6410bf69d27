#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "worker/data/arena.h"

namespace millrace::worker {

// Encoded keys -> dense row numbers. Open addressing with half of the hash beside the row number,
// power-of-two capacity, linear probing, load at most 1/2: 1.5 slots a hit (Knuth, TAOCP vol.
// 3, 6.4); keys live in an arena of the table. Row numbers are stable; erased rows are reused,
// lowest last freed first. Removal leaves no tombstones (backward shift). Key bytes of erased rows
// are reclaimed by Compact. Thread-compatible.
class KeyTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  KeyTable();
  // rows[i] = row of keys[i], inserted when new. Returns the number of rows that were inserted.
  // Requires: hashes[i] = HashKey(keys[i]).
  size_t FindOrInsert(std::span<const std::string_view> keys, std::span<const uint64_t> hashes,
                      std::vector<uint32_t>* rows);
  uint32_t FindOrInsert(std::string_view key, uint64_t hash, bool* inserted);
  uint32_t Find(std::string_view key, uint64_t hash) const;
  // rows[i] = row of keys[i], kNone where there is none. Requires: hashes[i] = HashKey(keys[i]).
  void Find(std::span<const std::string_view> keys, std::span<const uint64_t> hashes,
            std::vector<uint32_t>* rows) const;
  void Erase(uint32_t row);

  // Live keys.
  size_t size() const { return size_; }
  // One more than the largest row number ever used: accumulators have this many slots.
  size_t row_limit() const { return keys_.size(); }
  bool IsLive(uint32_t row) const { return live_[row] != 0; }
  std::string_view key(uint32_t row) const { return keys_[row]; }
  uint64_t hash(uint32_t row) const { return row_hashes_[row]; }
  // Live rows in ascending order of key bytes: the order in which numbered rows leave.
  std::vector<uint32_t> SortedRows() const;
  // Brings live rows into that order.
  void SortByKey(std::vector<uint32_t>* rows) const;
  size_t ByteSize() const;
  // Copies live key bytes into a fresh arena when more than half is garbage. Row numbers stay.
  void CompactIfSparse();
  void Clear();

 private:
  struct Slot {
    uint32_t tag;  // the low half of the hash; its home is tag & mask_
    uint32_t row;
  };
  void FindCandidates(std::span<const uint64_t> hashes, uint32_t* rows) const;
  void Rehash(size_t capacity);
  uint32_t NewRow(std::string_view key, uint64_t hash);

  std::vector<Slot> slots_;  // row == kNone: empty
  uint32_t mask_ = 0;
  size_t size_ = 0;
  std::vector<std::string_view> keys_;  // by row
  std::vector<uint64_t> row_hashes_;
  std::vector<uint8_t> live_;
  std::vector<uint32_t> free_;
  std::unique_ptr<Arena> arena_;
  size_t live_key_bytes_ = 0;
};

}  // namespace millrace::worker
