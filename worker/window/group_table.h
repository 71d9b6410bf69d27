#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "worker/state/key_table.h"
#include "worker/window/aggregate_set.h"

namespace millrace::worker {

// A set of row numbers in order of marking; clearing costs as much as what was marked.
// Thread-compatible.
class MarkList {
 public:
  void Add(uint32_t row) {
    if (row >= marks_.size()) marks_.resize(row + row / 2 + 16);
    if (marks_[row] != 0) return;
    marks_[row] = 1;
    rows_.push_back(row);
  }
  void Add(std::span<const uint32_t> rows) {
    for (const uint32_t row : rows) Add(row);
  }
  void Clear() {
    for (const uint32_t row : rows_) marks_[row] = 0;
    rows_.clear();
  }
  bool Has(uint32_t row) const { return row < marks_.size() && marks_[row] != 0; }
  bool empty() const { return rows_.empty(); }
  const std::vector<uint32_t>& rows() const { return rows_; }

 private:
  std::vector<uint8_t> marks_;
  std::vector<uint32_t> rows_;
};

// Groups by encoded key with their accumulators: one slice of a window, or the groups of a global
// one. Merging keeps order, as Accumulator says. Thread-compatible.
class GroupTable {
 public:
  explicit GroupTable(const AggregateLayout* layout) : values_(layout) {}

  // Rows of keys, inserted empty when new. Valid until the next call.
  const std::vector<uint32_t>& RowsOf(std::span<const std::string_view> keys);
  const std::vector<uint32_t>& RowsOf(std::span<const std::string_view> keys,
                                      std::span<const uint64_t> hashes);
  // Merges partial rows begin + i into the groups of keys[i] and marks them.
  Status Merge(std::span<const std::string_view> keys, std::span<const ColumnRef> partials,
               size_t begin);
  // Merges the given rows of `other`.
  Status MergeRows(const GroupTable& other, std::span<const uint32_t> rows);
  Status MergeAll(const GroupTable& other) { return MergeRows(other, other.LiveRows()); }
  Status SubtractRows(const GroupTable& other, std::span<const uint32_t> rows);
  void Erase(uint32_t row);
  void CompactIfSparse() { keys_.CompactIfSparse(); }

  std::vector<uint32_t> LiveRows() const;
  // Of `rows`, those whose key is still there.
  std::vector<uint32_t> LiveOf(const std::vector<uint32_t>& rows) const;
  std::vector<std::string_view> KeysOf(std::span<const uint32_t> rows) const;

  const KeyTable& keys() const { return keys_; }
  // Where the groups of the latest RowsOf, Merge, MergeRows or SubtractRows are.
  const std::vector<uint32_t>& latest_rows() const { return rows_; }
  const AggregateSet& values() const { return values_; }
  AggregateSet& values() { return values_; }
  MarkList& changed() { return changed_; }  // in this batch
  MarkList& unsaved() { return unsaved_; }  // since the last Settle
  const MarkList& unsaved() const { return unsaved_; }
  size_t ByteSize() const { return keys_.ByteSize() + values_.ByteSize(); }

 private:
  void Mark(std::span<const uint32_t> rows);
  void FindRowsOf(const GroupTable& other, std::span<const uint32_t> rows);

  KeyTable keys_;
  AggregateSet values_;
  MarkList changed_;
  MarkList unsaved_;
  std::vector<uint32_t> rows_;
  std::vector<uint64_t> hashes_;
};

}  // namespace millrace::worker
