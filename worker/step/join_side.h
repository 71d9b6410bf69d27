#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "crds/base/wire.h"
#include "worker/step/column_tools.h"
#include "worker/step/due_queue.h"
#include "worker/step/row_store.h"

namespace millrace::worker {

// Rows of one side of a join that wait for partners, chained by key in order of arrival. Rows are
// named by id until Compact, and in blobs by a sequence number that grows with every row.
// Thread-compatible.
class JoinSide {
 public:
  JoinSide(SchemaRef schema, int64_t due_width) : rows_(std::move(schema)), due_(due_width) {}

  const RowStore& rows() const { return rows_; }
  int64_t time(uint32_t id) const { return times_[id]; }
  uint32_t key(uint32_t id) const { return key_rows_[id]; }
  bool matched(uint32_t id) const { return matched_[id] != 0; }
  // First live row of a key, then the next; kNoRow at the end.
  uint32_t First(uint32_t key);
  uint32_t Next(uint32_t id) const;

  // Adds rows; keys[i] may be kNoRow (a null key, in no chain).
  void Add(const RecordBatch& rows, std::span<const int64_t> times, std::span<const uint32_t> keys);
  // The row leaves at `due`.
  void SetDue(uint32_t id, int64_t due) { due_.Add(due, id); }
  int64_t next_due() const { return due_.next(); }
  // Live rows due at or before `now`, in order of arrival.
  std::vector<uint32_t> TakeDue(int64_t now);
  // Remembers that the row found a partner, so that it does not leave as one without.
  void Mark(uint32_t id);
  void Remove(uint32_t id);
  // The key has no rows left and may be given to another.
  void DropChain(uint32_t key);

  bool sparse() const { return rows_.sparse(); }
  // Renumbers rows and empties the due queue, which must be filled again.
  void Compact();

  // removed: count, then sequence numbers; marked: the same; rows with __seq, __time and __matched
  // as one RecordBatch.
  void Encode(bool snapshot, WireWriter* writer) const;
  // Reads what Encode wrote: applies the marks and hands out the rows to remove and, for AddStored,
  // those to add.
  Status Decode(WireReader* reader, std::vector<uint32_t>* removed, RecordBatch* stored);
  void AddStored(const RecordBatch& stored, std::span<const uint32_t> keys);
  // The rows of `stored` without what the blob added.
  RecordBatch RowsOf(const RecordBatch& stored) const;
  bool changed() const { return settled_ != next_seq_ || !removed_.empty() || !marked_.empty(); }
  void Settle();
  int64_t bytes() const;

 private:
  SchemaRef StoredSchema() const;
  uint32_t Find(uint64_t seq) const;
  void Link(uint32_t id);

  RowStore rows_;
  std::vector<uint64_t> seqs_;  // by id, ascending
  std::vector<int64_t> times_;
  std::vector<uint8_t> matched_;
  std::vector<uint32_t> key_rows_;
  std::vector<uint32_t> next_;   // by id: the next row of the key
  std::vector<uint32_t> heads_;  // by key
  std::vector<uint32_t> tails_;
  DueQueue due_;
  uint64_t next_seq_ = 0;
  uint64_t settled_ = 0;           // rows from here on are not in any blob yet
  std::vector<uint64_t> removed_;  // of those below
  std::vector<uint64_t> marked_;
};

}  // namespace millrace::worker
