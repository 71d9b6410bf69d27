#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/data/record_batch.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

// The columns of a stream that one sink writes, in its order: `fields`, or all visible ones.
// Immutable; thread-safe.
class Projection {
 public:
  // Requires: every name of `fields` is in `schema`.
  Projection(const Schema& schema, const std::optional<std::vector<std::string>>& fields);

  const SchemaRef& schema() const { return schema_; }
  // Requires: `rows` has the projected fields; it may have others.
  RecordBatch Apply(const RecordBatch& rows) const;

 private:
  SchemaRef schema_;
};

// Name of the hidden bool column that marks a row as the removal of its key.
inline constexpr std::string_view kRemovalField = "__deleted";

// Ascending indexes of the rows that say a value, not a removal.
std::vector<uint32_t> LiveRows(const RecordBatch& rows);
// `batch` with only the given ascending rows; shares everything when that is all of them.
RecordBatch Keep(RecordBatch batch, const std::vector<uint32_t>& rows);

// Adds a rejection for each bad record; `batch` are the rows that were given to the encoder.
void RejectRows(const RecordBatch& batch, const std::vector<BadRecord>& bad,
                std::string_view context, std::vector<RejectedRow>* rejected);

}  // namespace millrace::worker
