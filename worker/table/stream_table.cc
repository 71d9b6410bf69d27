#include "worker/table/stream_table.h"

#include <utility>

#include "crds/base/wire.h"

// Change, version 1: version:u8 removed:bytes (one byte per row) rows:EncodeBatch. A delta is a run
// of length-prefixed changes; a snapshot is one change without removals.
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kDeleted = "__deleted";

std::string EncodeChange(const RecordBatch& rows, const std::vector<uint8_t>& removed) {
  std::string change;
  WireWriter out(&change);
  out.U8(kVersion);
  out.Bytes({reinterpret_cast<const char*>(removed.data()), removed.size()});
  EncodeBatch(rows, &change);
  return change;
}

RecordBatch EmptyBatch(const SchemaRef& schema) {
  std::vector<ColumnRef> columns;
  for (const Field& field : schema->fields())
    columns.push_back(std::make_shared<Column>(field.type));
  return RecordBatch(schema, std::move(columns), 0);
}

}  // namespace

StreamTable::StreamTable(std::string name, SchemaRef schema, std::vector<int> key,
                         ProgramRef delete_when, int64_t max_rows)
    : name_(std::move(name)),
      schema_(std::move(schema)),
      key_(std::move(key)),
      delete_when_(std::move(delete_when)),
      max_rows_(max_rows),
      rows_(EmptyBatch(schema_)) {}

RecordBatch StreamTable::Visible(const RecordBatch& rows) const {
  std::vector<ColumnRef> columns;
  for (const Field& field : schema_->fields())
    columns.push_back(rows.column_ref(rows.schema().Find(field.name)));
  return RecordBatch(schema_, std::move(columns), rows.num_rows());
}

Result<std::vector<uint8_t>> StreamTable::Removed(const RecordBatch& rows,
                                                  const RecordBatch& visible) const {
  std::vector<uint8_t> removed(rows.num_rows(), 0);
  if (const Column* deleted = rows.Find(kDeleted)) {
    for (size_t i = 0; i < removed.size(); ++i)
      removed[i] = !deleted->IsNull(i) && deleted->bools[i] != 0;
  }
  if (delete_when_ == nullptr) return removed;
  std::vector<uint32_t> selected;
  std::vector<BadRecord> errors;
  delete_when_->Select(visible, nullptr, &selected, &errors);
  if (!errors.empty())
    return InvalidError("table \"" + name_ + "\" deleteWhen: " + errors.front().message);
  for (const uint32_t row : selected) removed[row] = 1;
  return removed;
}

Status StreamTable::Apply(const std::vector<RecordBatch>& batches) {
  for (const RecordBatch& batch : batches) {
    const RecordBatch visible = Visible(batch);
    ASSIGN_OR_RETURN(const std::vector<uint8_t> removed, Removed(batch, visible));
    RETURN_IF_ERROR(Upsert(visible, removed));
    changes_.push_back(EncodeChange(visible, removed));
  }
  return OkStatus();
}

Status StreamTable::Upsert(const RecordBatch& rows, const std::vector<uint8_t>& removed) {
  const std::vector<RecordBatch> parts{rows_, rows};
  const RecordBatch all = Concat(parts);
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder(key_).Encode(all, &arena, &keys);
  KeyTable latest;
  std::vector<uint32_t> last_row;  // by key row: the last row with this key
  for (size_t i = 0; i < keys.size(); ++i) {
    bool inserted = false;
    const uint32_t row = latest.FindOrInsert(keys[i], HashKey(keys[i]), &inserted);
    if (inserted) last_row.push_back(0);
    last_row[row] = static_cast<uint32_t>(i);
  }
  std::vector<uint32_t> kept;
  for (const uint32_t row : last_row) {
    const bool gone = row >= rows_.num_rows() && removed[row - rows_.num_rows()] != 0;
    if (!gone) kept.push_back(row);
  }
  if (static_cast<int64_t>(kept.size()) > max_rows_) {
    return InvalidError("table \"" + name_ + "\" would hold " + std::to_string(kept.size()) +
                        " rows; maxRows is " + std::to_string(max_rows_));
  }
  const RecordBatch merged = all.Gather(kept);
  std::vector<ColumnRef> columns;
  for (const ColumnRef& column : merged.columns()) columns.push_back(DeepCopy(*column));
  rows_ = RecordBatch(schema_, std::move(columns), merged.num_rows());
  ++edition_;
  version_ = nullptr;
  return OkStatus();
}

Result<TableVersionRef> StreamTable::Version() {
  if (version_ == nullptr) {
    ASSIGN_OR_RETURN(version_, TableVersion::Build("stream-" + std::to_string(edition_), rows_,
                                                   key_, max_rows_));
  }
  return version_;
}

void StreamTable::EncodeDelta(std::string* out) const {
  WireWriter writer(out);
  for (const std::string& change : changes_) writer.Bytes(change);
}

void StreamTable::EncodeSnapshot(std::string* out) const {
  WireWriter writer(out);
  writer.Bytes(EncodeChange(rows_, std::vector<uint8_t>(rows_.num_rows(), 0)));
}

Status StreamTable::Restore(std::string_view snapshot, const std::vector<std::string>& deltas) {
  rows_ = EmptyBatch(schema_);
  changes_.clear();
  version_ = nullptr;
  std::vector<std::string_view> blobs{snapshot};
  blobs.insert(blobs.end(), deltas.begin(), deltas.end());
  for (const std::string_view blob : blobs) {
    WireReader changes(blob);
    while (!changes.done()) {
      WireReader change(changes.Bytes());
      const uint8_t version = change.U8();
      const std::string_view removed = change.Bytes();
      if (!changes.ok() || !change.ok() || version != kVersion)
        return InternalError("StateLost: table \"" + name_ + "\" has a damaged blob");
      ASSIGN_OR_RETURN(const RecordBatch rows, DecodeBatch(change.rest()));
      if (!(rows.schema() == *schema_) || removed.size() != rows.num_rows()) {
        return InternalError("StateLost: table \"" + name_ + "\" was written with another schema");
      }
      RETURN_IF_ERROR(Upsert(rows, {removed.begin(), removed.end()}));
    }
  }
  return OkStatus();
}

}  // namespace millrace::worker
