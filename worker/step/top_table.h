#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "worker/data/record_batch.h"
#include "worker/state/key_table.h"
#include "worker/window/group_table.h"

namespace millrace::worker {

// How rows are ranked and what they carry. Immutable.
struct TopOrder {
  size_t limit = 1;
  bool ties = false;
  std::vector<uint8_t> descending;  // one per order column
  // Columns of candidate rows: "seq", the order columns, then the fields of the record.
  SchemaRef row_schema;
  size_t order_begin() const { return 1; }
  size_t fields_begin() const { return 1 + descending.size(); }
};

// Rows beyond `limit` that a group may keep because they equal the last one.
inline constexpr size_t kMaxTies = 10'000;

// The best rows of every key of one slice, each list in rank order: by the order columns, equal
// rows by sequence number. Thread-compatible. Errors: kInvalid when too many rows tie; failed_key()
// names the key.
class TopTable {
 public:
  explicit TopTable(const TopOrder* order);

  // Offers rows [begin, begin + keys.size()) of `rows` (TopOrder::row_schema) under their keys, in
  // order of sequence.
  Status Offer(std::span<const std::string_view> keys, const RecordBatch& rows, size_t begin);
  void EraseKey(std::string_view key);
  // Drops the rows of a live key and marks it; the key stays.
  void EmptyKey(uint32_t key_row);
  // Puts a row behind the last of its key, as stored.
  void Restore(std::string_view key, const RecordBatch& rows, size_t i);

  const KeyTable& keys() const { return keys_; }
  const std::vector<uint32_t>& list(uint32_t key_row) const { return lists_[key_row]; }
  std::span<const ColumnPtr> columns() const { return columns_; }
  RecordBatch Rows(std::span<const uint32_t> rows) const;
  MarkList& changed() { return changed_; }  // key rows in this batch
  MarkList& unsaved() { return unsaved_; }  // key rows since the last Settle
  const MarkList& unsaved() const { return unsaved_; }
  std::string_view failed_key() const { return failed_key_; }
  // Lets go of rows that fell out of all lists and of the batches that strings came from. Row
  // numbers change.
  void CompactIfSparse();
  size_t ByteSize() const;

 private:
  int Compare(const RecordBatch& rows, size_t i, uint32_t stored) const;
  bool OfferOne(std::vector<uint32_t>* list, const RecordBatch& rows, size_t i);
  uint32_t Append(const RecordBatch& rows, size_t i);
  void Cut(std::vector<uint32_t>* list);

  const TopOrder* order_;
  KeyTable keys_;
  std::vector<std::vector<uint32_t>> lists_;  // by key row
  std::vector<ColumnPtr> columns_;
  size_t stored_ = 0;
  size_t live_ = 0;
  int offers_ = 0;  // since the last compaction
  MarkList changed_;
  MarkList unsaved_;
  std::string failed_key_;
};

// Order of two rows by the order columns, best first; 0 when they tie.
int CompareRank(const TopOrder& order, std::span<const ColumnPtr> a, uint32_t row_a,
                std::span<const ColumnPtr> b, uint32_t row_b);

}  // namespace millrace::worker
