#include "worker/data/record_batch.h"

#include <numeric>
#include <utility>

#include "crds/base/text.h"
#include "worker/data/json_value.h"

namespace millrace::worker {

RecordBatch::RecordBatch(SchemaRef schema, std::vector<ColumnRef> columns, size_t num_rows)
    : schema_(std::move(schema)), columns_(std::move(columns)), num_rows_(num_rows) {
  CHECK(schema_->size() == columns_.size());
  for (const ColumnRef& column : columns_) CHECK(column->size() == num_rows_);
}

const Column* RecordBatch::Find(std::string_view name) const {
  const int i = schema_->Find(name);
  return i < 0 ? nullptr : columns_[i].get();
}

size_t RecordBatch::ByteSize() const {
  size_t bytes = 0;
  for (const ColumnRef& column : columns_) bytes += column->ByteSize();
  return bytes;
}

RecordBatch RecordBatch::Gather(std::span<const uint32_t> rows) const {
  std::vector<ColumnRef> columns;
  columns.reserve(columns_.size());
  for (const ColumnRef& column : columns_) columns.push_back(worker::Gather(*column, rows));
  return RecordBatch(schema_, std::move(columns), rows.size());
}

RecordBatch RecordBatch::Slice(size_t begin, size_t end) const {
  if (begin == 0 && end == num_rows_) return *this;
  std::vector<uint32_t> rows(end - begin);
  std::iota(rows.begin(), rows.end(), static_cast<uint32_t>(begin));
  return Gather(rows);
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
