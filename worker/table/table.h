#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/data/record_batch.h"
#include "worker/state/key_table.h"

namespace millrace::worker {

// One immutable version of a look-up table: rows and an index by key. Thread-safe to read.
class TableVersion {
 public:
  // `key` are column indexes. kInvalid for a duplicate key (the message names it) or more than
  // `max_rows` rows.
  static Result<std::shared_ptr<const TableVersion>> Build(std::string version, RecordBatch rows,
                                                           std::vector<int> key, int64_t max_rows);

  const std::string& version() const { return version_; }
  const RecordBatch& rows() const { return rows_; }
  // Row of each encoded key, -1 where there is none. Keys are encoded as KeyEncoder does over the
  // key fields in `key` order.
  void Find(std::span<const std::string_view> keys, std::vector<int64_t>* rows) const;

 private:
  std::string version_;
  RecordBatch rows_;
  KeyTable index_;
};
using TableVersionRef = std::shared_ptr<const TableVersion>;

// Where a file, http or kafka table comes from. Load blocks; called from a background thread on
// `refreshInterval` (kafka: every second), once before start. Equal versions have equal content.
class TableLoader {
 public:
  virtual ~TableLoader() = default;
  virtual Result<TableVersionRef> Load() = 0;
};

struct TableLoaderOptions {
  std::string secrets_directory;
  Clock* clock = nullptr;  // outlives the loader; kafka only
  std::stop_token stop;    // ends waits for brokers
};

Result<Schema> TableSchema(const api::Table& table, api::Diagnostics* diagnostics,
                           const std::string& path);
Result<std::unique_ptr<TableLoader>> MakeTableLoader(const api::Table& table,
                                                     const TableLoaderOptions& options);

}  // namespace millrace::worker
