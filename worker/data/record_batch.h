#pragma once

#include <span>
#include <string>
#include <vector>

#include "worker/data/column.h"

namespace millrace::worker {

// Rows of one schema, column by column. A value: copying shares the columns. Thread-safe to read.
class RecordBatch {
 public:
  RecordBatch() : schema_(std::make_shared<Schema>()) {}
  // Requires: columns match the schema in number, type and order, all of size `num_rows`.
  RecordBatch(SchemaRef schema, std::vector<ColumnRef> columns, size_t num_rows);

  const Schema& schema() const { return *schema_; }
  const SchemaRef& schema_ref() const { return schema_; }
  size_t num_rows() const { return num_rows_; }
  size_t num_columns() const { return columns_.size(); }
  const Column& column(size_t i) const { return *columns_[i]; }
  const ColumnRef& column_ref(size_t i) const { return columns_[i]; }
  const std::vector<ColumnRef>& columns() const { return columns_; }
  // nullptr when there is no such field.
  const Column* Find(std::string_view name) const;
  size_t ByteSize() const;

  // The given rows, in the given order (rows may repeat).
  RecordBatch Gather(std::span<const uint32_t> rows) const;
  RecordBatch Slice(size_t begin, size_t end) const;

 private:
  SchemaRef schema_;
  std::vector<ColumnRef> columns_;
  size_t num_rows_ = 0;
};

// All rows of `batches`, in order. Requires: equal schemas; at least one batch.
RecordBatch Concat(std::span<const RecordBatch> batches);
// The row as one JSON line as the json format writes it; for messages, tests and dead letters.
std::string RowToJson(const RecordBatch& batch, size_t row);

// Binary form for state, exchange and table versions: versioned, with the schema, checked on
// reading. Little-endian; grammar at the top of record_batch_codec.cc. Decoding copies all strings
// into one arena and never trusts a length.
void EncodeBatch(const RecordBatch& batch, std::string* out);
Result<RecordBatch> DecodeBatch(std::string_view bytes);

// Order-preserving key encoding (memcmp order = value order, null first): one byte string per row
// over the given columns. A single non-null string or bytes column is its own encoding (no copy).
// Doubles: -0 is 0, one NaN. json, list, map and struct columns are encoded too (map entries
// sorted), for dedup and distinct.
class KeyEncoder {
 public:
  explicit KeyEncoder(std::vector<int> columns) : columns_(std::move(columns)) {}
  // keys[i] is a view into the batch or into `arena`; valid as long as both live.
  void Encode(const RecordBatch& batch, Arena* arena, std::vector<std::string_view>* keys) const;

 private:
  std::vector<int> columns_;
};
// Rebuilds key columns from encoded keys: the inverse of KeyEncoder for scalar columns. Requires:
// `types` as encoded.
std::vector<ColumnRef> DecodeKeys(std::span<const std::string_view> keys,
                                  std::span<const Type> types);

// XXH3-64 of encoded key bytes: decides key groups for ever (fixed by the storage format).
uint64_t HashKey(std::string_view key);
void HashKeys(std::span<const std::string_view> keys, std::vector<uint64_t>* hashes);
// Scales a hash to [0, groups).
inline int KeyGroupOf(uint64_t hash, int groups) {
  __extension__ typedef unsigned __int128 Wide;
  return static_cast<int>((static_cast<Wide>(hash) * static_cast<unsigned>(groups)) >> 64);
}

}  // namespace millrace::worker
