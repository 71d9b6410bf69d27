#include "worker/table/kafka_rows.h"

#include <utility>

namespace millrace::worker {
namespace {

RecordBatch Empty(const SchemaRef& schema) {
  std::vector<ColumnRef> columns;
  for (const Field& field : schema->fields())
    columns.push_back(std::make_shared<Column>(field.type));
  return RecordBatch(schema, std::move(columns), 0);
}

RecordBatch DeepCopyOf(const RecordBatch& batch) {
  std::vector<ColumnRef> columns;
  for (const ColumnRef& column : batch.columns()) columns.push_back(DeepCopy(*column));
  return RecordBatch(batch.schema_ref(), std::move(columns), batch.num_rows());
}

}  // namespace

KafkaRows::KafkaRows(SchemaRef schema) : batches_{Empty(schema)} {}

void KafkaRows::Set(const RecordBatch& rows, std::span<const std::string_view> keys) {
  for (size_t i = 0; i < keys.size(); ++i)
    live_[std::string(keys[i])] = static_cast<uint32_t>(num_rows_ + i);
  num_rows_ += rows.num_rows();
  batches_.push_back(rows);
  changed_ = true;
}

void KafkaRows::Remove(std::string_view key) {
  const auto found = live_.find(key);
  if (found == live_.end()) return;
  live_.erase(found);
  changed_ = true;
}

const RecordBatch& KafkaRows::Rows() {
  if (!changed_) return batches_.front();
  std::vector<uint32_t> rows;
  rows.reserve(live_.size());
  for (auto& [key, row] : live_) {
    rows.push_back(row);
    row = static_cast<uint32_t>(rows.size() - 1);
  }
  RecordBatch kept = DeepCopyOf(Concat(batches_).Gather(rows));
  batches_.assign(1, std::move(kept));
  num_rows_ = rows.size();
  changed_ = false;
  return batches_.front();
}

}  // namespace millrace::worker
