#include "worker/step/row_store.h"

#include <algorithm>
#include <utility>

#include "worker/step/column_tools.h"

namespace millrace::worker {
namespace {

bool HoldsViews(const Type& type) {
  if (type.is_binary()) return true;
  if (type.kind() == Kind::kList) return HoldsViews(type.element());
  if (type.kind() == Kind::kMap) return true;
  if (type.kind() != Kind::kStruct) return false;
  return std::any_of(type.fields().begin(), type.fields().end(),
                     [](const Field& field) { return HoldsViews(field.type); });
}

// Moves the bytes of all views of a column that nobody else sees into `arena`.
void OwnBytes(Column* column, const std::shared_ptr<Arena>& arena) {
  column->owners.clear();
  if (column->type().is_binary()) {
    for (std::string_view& text : column->strings) text = arena->Copy(text);
    column->AddOwner(arena);
  }
  for (const auto& child : column->children) OwnBytes(child.get(), arena);
}

std::vector<std::shared_ptr<Column>> EmptyColumns(const Schema& schema) {
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : schema.fields()) {
    columns.push_back(std::make_shared<Column>(field.type));
  }
  return columns;
}

}  // namespace

RowStore::RowStore(SchemaRef schema)
    : schema_(std::move(schema)),
      arena_(std::make_shared<Arena>()),
      columns_(EmptyColumns(*schema_)) {}

void RowStore::Append(const RecordBatch& rows) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (!HoldsViews((*schema_)[i].type)) {
      columns_[i]->AppendAll(rows.column(i));
      columns_[i]->owners.clear();
      continue;
    }
    Column copy((*schema_)[i].type);
    copy.AppendAll(rows.column(i));
    OwnBytes(&copy, arena_);
    columns_[i]->AppendAll(copy);
  }
  live_.resize(live_.size() + rows.num_rows(), 1);
  live_rows_ += rows.num_rows();
}

RecordBatch RowStore::Gather(std::span<const uint32_t> ids) const {
  std::vector<ColumnRef> columns;
  columns.reserve(columns_.size());
  for (size_t i = 0; i < columns_.size(); ++i) columns.push_back(GatherColumn(i, ids));
  return RecordBatch(schema_, std::move(columns), ids.size());
}

std::vector<uint32_t> RowStore::Compact() {
  std::vector<uint32_t> kept;
  kept.reserve(live_rows_);
  std::vector<uint32_t> new_ids(size(), kNoRow);
  for (uint32_t id = 0; id < size(); ++id) {
    if (live_[id] == 0) continue;
    new_ids[id] = static_cast<uint32_t>(kept.size());
    kept.push_back(id);
  }
  const RecordBatch rows = Gather(kept);
  arena_ = std::make_shared<Arena>();
  columns_ = EmptyColumns(*schema_);
  live_.clear();
  live_rows_ = 0;
  Append(rows);
  return new_ids;
}

size_t RowStore::ByteSize() const {
  constexpr size_t kBytesPerValue = 16;
  return arena_->used_bytes() + size() * (columns_.size() * kBytesPerValue + 1);
}

}  // namespace millrace::worker
