#pragma once

#include <string>
#include <vector>

#include "crds/base/status.h"
#include "worker/expr/program.h"
#include "worker/table/table.h"

namespace millrace::worker {

// A table that a stream writes: each row replaces the one with its key; rows marked __deleted or
// matching deleteWhen remove it. Shows what committed batches wrote. Loop thread only.
class StreamTable {
 public:
  // `schema`: visible fields of the stream, `key`: their indexes. `delete_when` may be null; it
  // reads the same fields.
  StreamTable(std::string name, SchemaRef schema, std::vector<int> key, ProgramRef delete_when,
              int64_t max_rows);

  const std::string& name() const { return name_; }
  // Takes a batch's rows, in order. kInvalid when the table would exceed max_rows.
  Status Apply(const std::vector<RecordBatch>& rows);
  // The current contents as an immutable version; built once per change.
  Result<TableVersionRef> Version();

  // State as for keyed steps: what changed since the last Settle, or everything.
  void EncodeDelta(std::string* out) const;
  void EncodeSnapshot(std::string* out) const;
  Status Restore(std::string_view snapshot, const std::vector<std::string>& deltas);
  void Settle() { changes_.clear(); }

 private:
  Status Upsert(const RecordBatch& rows, const std::vector<uint8_t>& removed);
  RecordBatch Visible(const RecordBatch& rows) const;
  Result<std::vector<uint8_t>> Removed(const RecordBatch& rows, const RecordBatch& visible) const;

  std::string name_;
  SchemaRef schema_;
  std::vector<int> key_;
  ProgramRef delete_when_;
  int64_t max_rows_;
  RecordBatch rows_;
  std::vector<std::string> changes_;  // encoded upserts since Settle
  int64_t edition_ = 0;
  TableVersionRef version_;
};

}  // namespace millrace::worker
