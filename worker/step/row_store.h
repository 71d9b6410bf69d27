#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "worker/data/record_batch.h"

namespace millrace::worker {

// Rows that outlive their batch: columns that only grow, with all bytes in one arena of the store,
// so that no batch stays alive for the sake of a few rows. Rows are named by id; dead rows keep
// their id until Compact. Amortised O(1) per row. Thread-compatible; gathered columns may be read
// from any thread and outlive the store.
class RowStore {
 public:
  explicit RowStore(SchemaRef schema);

  const SchemaRef& schema() const { return schema_; }
  // Rows ever added since the last Compact: ids are below this.
  size_t size() const { return live_.size(); }
  size_t live() const { return live_rows_; }
  bool IsLive(uint32_t id) const { return live_[id] != 0; }

  // Copies the rows in; the first one gets id size(). Requires: columns of the store's types.
  void Append(const RecordBatch& rows);
  void Kill(uint32_t id) {
    live_rows_ -= live_[id];
    live_[id] = 0;
  }
  ColumnRef GatherColumn(size_t column, std::span<const uint32_t> ids) const {
    return worker::Gather(*columns_[column], ids);
  }
  const Column& column(size_t i) const { return *columns_[i]; }
  RecordBatch Gather(std::span<const uint32_t> ids) const;

  // True when dropping the dead rows is worth its cost.
  bool sparse() const { return size() - live_rows_ > live_rows_ + kMinDead; }
  // Drops dead rows; live ones keep their order. Returns the new id of each old one, kNoRow for the
  // dead.
  std::vector<uint32_t> Compact();
  size_t ByteSize() const;

 private:
  static constexpr size_t kMinDead = 1024;

  SchemaRef schema_;
  std::shared_ptr<Arena> arena_;
  std::vector<std::shared_ptr<Column>> columns_;
  std::vector<uint8_t> live_;
  size_t live_rows_ = 0;
};

}  // namespace millrace::worker
