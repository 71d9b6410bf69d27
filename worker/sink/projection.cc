#include "worker/sink/projection.h"

#include <numeric>

namespace millrace::worker {

Projection::Projection(const Schema& schema,
                       const std::optional<std::vector<std::string>>& fields) {
  std::vector<Field> written;
  for (const std::string& name : fields ? *fields : schema.VisibleNames()) {
    const int index = schema.Find(name);
    CHECK(index >= 0);
    written.push_back(schema[static_cast<size_t>(index)]);
  }
  schema_ = std::make_shared<Schema>(std::move(written));
}

RecordBatch Projection::Apply(const RecordBatch& rows) const {
  std::vector<ColumnRef> columns;
  columns.reserve(schema_->size());
  for (const Field& field : schema_->fields()) {
    const int index = rows.schema().Find(field.name);
    CHECK(index >= 0);
    columns.push_back(rows.column_ref(static_cast<size_t>(index)));
  }
  return RecordBatch(schema_, std::move(columns), rows.num_rows());
}

std::vector<uint32_t> LiveRows(const RecordBatch& rows) {
  std::vector<uint32_t> live(rows.num_rows());
  std::iota(live.begin(), live.end(), 0u);
  const Column* deleted = rows.Find(kRemovalField);
  if (deleted != nullptr && deleted->kind() == Kind::kBool) {
    std::erase_if(live, [deleted](uint32_t row) { return deleted->bools[row] != 0; });
  }
  return live;
}

RecordBatch Keep(RecordBatch batch, const std::vector<uint32_t>& rows) {
  return rows.size() == batch.num_rows() ? std::move(batch) : batch.Gather(rows);
}

void RejectRows(const RecordBatch& batch, const std::vector<BadRecord>& bad,
                std::string_view context, std::vector<RejectedRow>* rejected) {
  for (const BadRecord& record : bad) {
    rejected->push_back(
        {"Encode", std::string(context) + record.message, RowToJson(batch, record.row)});
  }
}

}  // namespace millrace::worker
