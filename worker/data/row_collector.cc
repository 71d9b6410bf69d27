#include "worker/data/row_collector.h"

#include <algorithm>
#include <numeric>

#include "worker/data/decode_limits.h"

namespace millrace::worker {

// Until the first payload without a row, source rows are the identity and need no list.
void RowCollector::StartSourceRows() {
  source_rows_.reserve(raw_.payloads.size());
  source_rows_.resize(rows_);
  std::iota(source_rows_.begin(), source_rows_.end(), 0u);
  tracking_ = true;
}

void RowCollector::AcceptNull(size_t payload) {
  const bool all_nullable = std::all_of(columns_.begin(), columns_.end(), [](const auto& column) {
    return column->type().nullable();
  });
  if (!all_nullable || columns_.empty()) return Refuse(payload, kNullRecordMessage);
  for (const auto& column : columns_) column->AppendNull();
  Accept(payload);
}

DecodeResult RowCollector::Finish() {
  DecodeResult result;
  std::vector<Owner> owners = raw_.owners;
  if (arena_ != nullptr) owners.push_back(arena_);
  std::vector<ColumnRef> columns;
  for (const auto& column : columns_) {
    if (!bad_.empty()) DropIdleValidity(column.get());
    KeepAlive(column.get(), owners);
    columns.push_back(column);
  }
  // A payload behind the last row that gave none shows in the count only.
  if (rows_ != raw_.payloads.size() && !tracking_) StartSourceRows();
  result.batch = RecordBatch(schema_, std::move(columns), rows_);
  result.source_rows = std::move(source_rows_);
  result.bad = std::move(bad_);
  return result;
}

}  // namespace millrace::worker
