#include <utility>

#include "worker/table/table.h"

namespace millrace::worker {
namespace {

// The key fields of a row as JSON, for messages.
std::string KeyText(const RecordBatch& rows, const std::vector<int>& key, size_t row) {
  std::vector<Field> fields;
  std::vector<ColumnRef> columns;
  for (const int index : key) {
    fields.push_back(rows.schema()[static_cast<size_t>(index)]);
    columns.push_back(rows.column_ref(static_cast<size_t>(index)));
  }
  return RowToJson(
      RecordBatch(std::make_shared<Schema>(std::move(fields)), std::move(columns), rows.num_rows()),
      row);
}

}  // namespace

Result<std::shared_ptr<const TableVersion>> TableVersion::Build(std::string version,
                                                                RecordBatch rows,
                                                                std::vector<int> key,
                                                                int64_t max_rows) {
  if (rows.num_rows() > static_cast<uint64_t>(max_rows)) {
    return InvalidError("the table has " + std::to_string(rows.num_rows()) + " rows, maxRows is " +
                        std::to_string(max_rows));
  }
  auto table = std::make_shared<TableVersion>();
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder(key).Encode(rows, &arena, &keys);
  for (size_t row = 0; row < keys.size(); ++row) {
    bool inserted = false;
    // Rows of the index are the rows of the batch: keys are inserted in order and never erased.
    const uint32_t first = table->index_.FindOrInsert(keys[row], HashKey(keys[row]), &inserted);
    if (inserted) continue;
    return InvalidError("key " + KeyText(rows, key, row) + " is in the table twice (rows " +
                        std::to_string(first + 1) + " and " + std::to_string(row + 1) + ")");
  }
  table->version_ = std::move(version);
  table->rows_ = std::move(rows);
  return std::shared_ptr<const TableVersion>(std::move(table));
}

void TableVersion::Find(std::span<const std::string_view> keys, std::vector<int64_t>* rows) const {
  std::vector<uint64_t> hashes;
  HashKeys(keys, &hashes);
  std::vector<uint32_t> found;
  index_.Find(keys, hashes, &found);
  rows->resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i)
    (*rows)[i] = found[i] == KeyTable::kNone ? -1 : static_cast<int64_t>(found[i]);
}

}  // namespace millrace::worker
