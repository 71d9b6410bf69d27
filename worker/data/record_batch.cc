#include "worker/data/record_batch.h"

#include <utility>

#include "crds/base/text.h"
#include "worker/data/json_value.h"

namespace millrace::worker {
namespace {

// True for 0, 1, ..., size - 1.
bool IsWhole(std::span<const uint32_t> rows, size_t size) {
  if (rows.size() != size) return false;
  for (size_t i = 0; i < size; ++i) {
    if (rows[i] != i) return false;
  }
  return true;
}

}  // namespace

RecordBatch::RecordBatch(SchemaRef schema, std::vector<ColumnRef> columns, size_t num_rows)
    : schema_(std::move(schema)), columns_(std::move(columns)), num_rows_(num_rows) {
  CHECK(schema_->size() == columns_.size());
  for (const ColumnRef& column : columns_) CHECK(column->size() == num_rows_);
}

const Column* RecordBatch::Find(std::string_view name) const {
  const int i = schema_->Find(name);
  return i < 0 ? nullptr : columns_[static_cast<size_t>(i)].get();
}

size_t RecordBatch::ByteSize() const {
  size_t bytes = 0;
  for (const ColumnRef& column : columns_) bytes += column->ByteSize();
  return bytes;
}

RecordBatch RecordBatch::Gather(std::span<const uint32_t> rows) const {
  if (IsWhole(rows, num_rows_)) return *this;
  std::vector<ColumnRef> columns;
  columns.reserve(columns_.size());
  for (const ColumnRef& column : columns_) columns.push_back(worker::Gather(*column, rows));
  return RecordBatch(schema_, std::move(columns), rows.size());
}

RecordBatch RecordBatch::Slice(size_t begin, size_t end) const {
  if (begin == 0 && end == num_rows_) return *this;
  std::vector<ColumnRef> columns;
  columns.reserve(columns_.size());
  for (const ColumnRef& column : columns_) {
    auto part = std::make_shared<Column>(column->type());
    part->AppendRange(*column, begin, end);
    columns.push_back(std::move(part));
  }
  return RecordBatch(schema_, std::move(columns), end - begin);
}

RecordBatch Concat(std::span<const RecordBatch> batches) {
  CHECK(!batches.empty());
  if (batches.size() == 1) return batches.front();
  std::vector<ColumnRef> columns;
  size_t rows = 0;
  for (const RecordBatch& batch : batches) rows += batch.num_rows();
  for (size_t i = 0; i < batches.front().num_columns(); ++i) {
    auto column = std::make_shared<Column>(batches.front().column(i).type());
    column->Reserve(rows);
    for (const RecordBatch& batch : batches) column->AppendAll(batch.column(i));
    columns.push_back(std::move(column));
  }
  return RecordBatch(batches.front().schema_ref(), std::move(columns), rows);
}

std::string RowToJson(const RecordBatch& batch, size_t row) {
  std::string json = "{";
  for (size_t i = 0; i < batch.num_columns(); ++i) {
    const std::string& name = batch.schema()[i].name;
    if (Schema::IsHidden(name)) continue;
    if (json.size() > 1) json += ',';
    AppendJsonQuoted(name, &json);
    json += ':';
    AppendJsonValue(batch.column(i), row, {}, false, &json);
  }
  return json + "}";
}

}  // namespace millrace::worker
