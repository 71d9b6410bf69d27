#include "worker/step/column_tools.h"

#include <algorithm>
#include <utility>

#include "worker/step/step.h"

namespace millrace::worker {

ColumnRef WithType(const ColumnRef& column, const Type& type) {
  if (column->type() == type) return column;
  auto copy = std::make_shared<Column>(*column);
  copy->set_type(type);
  return copy;
}

ColumnRef AsRequired(const ColumnRef& column, const Type& type) {
  if (column->type() == type && column->valid.empty()) return column;
  auto copy = std::make_shared<Column>(*column);
  copy->set_type(type);
  copy->valid.clear();
  return copy;
}

ColumnRef WithNulls(const ColumnRef& column, std::span<const uint32_t> rows) {
  auto copy = std::make_shared<Column>(*column);
  copy->set_type(column->type().AsNullable());
  if (copy->valid.empty()) copy->valid.assign(copy->size(), 1);
  for (const uint32_t row : rows) copy->valid[row] = 0;
  return copy;
}

void AppendBlank(Column* column) {
  if (column->type().nullable()) return column->AppendNull();
  switch (column->kind()) {
    case Kind::kBool:
      return column->AppendBool(false);
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return column->AppendInt(0);
    case Kind::kUint:
      return column->AppendUint(0);
    case Kind::kDouble:
      return column->AppendDouble(0);
    case Kind::kString:
    case Kind::kBytes:
      return column->AppendView({});
    case Kind::kJson:
      return column->AppendView("null");
    case Kind::kList:
    case Kind::kMap:
      return column->FinishList();
    case Kind::kStruct:
      for (const auto& child : column->children) AppendBlank(child.get());
      return column->FinishStruct();
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
  CHECK(false && "not a type of stored values");
}

ColumnRef BlankColumn(const Type& type, size_t size) {
  auto column = std::make_shared<Column>(type);
  column->Reserve(size);
  for (size_t i = 0; i < size; ++i) AppendBlank(column.get());
  return column;
}

ColumnRef GatherOrBlank(const Column& column, std::span<const uint32_t> rows) {
  return GatherOrBlank(column, rows, column.type());
}

ColumnRef GatherOrBlank(const Column& column, std::span<const uint32_t> rows, const Type& type) {
  auto result = std::make_shared<Column>(type);
  result->Reserve(rows.size());
  for (size_t i = 0; i < rows.size();) {
    if (rows[i] == kNoRow) {
      AppendBlank(result.get());
      ++i;
      continue;
    }
    size_t end = i;
    while (end < rows.size() && rows[end] != kNoRow) ++end;
    result->AppendGather(column, rows.subspan(i, end - i));
    i = end;
  }
  return result;
}

ColumnRef StructOf(const Type& type, std::vector<ColumnRef> children, size_t size) {
  auto column = std::make_shared<Column>(type);
  column->children.clear();
  // A column is immutable once it is shared, so children may be shared as they are.
  for (ColumnRef& child : children) {
    column->children.push_back(std::const_pointer_cast<Column>(std::move(child)));
  }
  column->set_size(size);
  return column;
}

ColumnRef StructOf(const Type& type, std::vector<ColumnRef> children,
                   std::span<const uint32_t> present) {
  ColumnRef column = StructOf(type, std::move(children), present.size());
  if (std::find(present.begin(), present.end(), kNoRow) == present.end()) return column;
  auto& valid = std::const_pointer_cast<Column>(column)->valid;
  valid.resize(present.size());
  for (size_t i = 0; i < present.size(); ++i) valid[i] = present[i] != kNoRow;
  return column;
}

RecordBatch Merge(std::span<const RecordBatch> batches) {
  return batches.size() == 1 ? batches.front() : Concat(batches);
}

RecordBatch WithoutDeleted(const RecordBatch& batch) {
  const Column* deleted = batch.Find(kDeletedField);
  if (deleted == nullptr) return batch;
  std::vector<uint32_t> keep;
  for (uint32_t row = 0; row < batch.num_rows(); ++row) {
    if (deleted->IsNull(row) || deleted->bools[row] == 0) keep.push_back(row);
  }
  return keep.size() == batch.num_rows() ? batch : batch.Gather(keep);
}

}  // namespace millrace::worker
