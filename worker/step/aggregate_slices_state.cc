#include <limits>

#include "worker/step/aggregate_slices.h"
#include "worker/step/aggregate_state.h"

namespace millrace::worker {
namespace {

constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();
constexpr uint8_t kDroppedSlices = 1, kDroppedGroups = 2, kGroups = 3, kNextWindow = 4;

SchemaRef SlicesSchema() {
  static const SchemaRef schema = MakeSchema({{"slice", Type(Kind::kInt)}});
  return schema;
}
SchemaRef DroppedSchema() {
  static const SchemaRef schema =
      MakeSchema({{"slice", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}});
  return schema;
}

}  // namespace

bool SliceOperator::HasWork(const BatchContext& context) const {
  const WindowPlan& window = plan_->window;
  if (window.shape == WindowShape::kBatch) return plan_->keyless();
  if (window.emit == api::Emit::kAll && !slices_.empty()) return true;
  const int64_t now = window.Now(context);
  if (window.shape == WindowShape::kGlobal) return !context.final && idle_.due(now);
  if (next_window_ && !context.final && now > kBeginning / 2 &&
      *next_window_ <= now - window.grid.length()) {
    return true;
  }
  if (slices_.empty() || now <= kBeginning / 2) return false;
  // No window ends before its first slice does.
  if (slices_.begin()->first > now - window.grid.width()) return false;
  return window.updating() ? window.grid.LastEndOf(slices_.begin()->first) <= now
                           : FirstDue(window.Previous(context)) <= now - window.grid.length() ||
                                 window.grid.LastEndOf(slices_.begin()->first) <= now;
}

SchemaRef SliceOperator::GroupSchema() const {
  return MakeSchema(
      {{"slice", Type(Kind::kInt)}, {"touched", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}},
      plan_->layout.partial_fields);
}

std::vector<SchemaRef> SliceOperator::Schemas() const {
  return {nullptr, SlicesSchema(), DroppedSchema(), GroupSchema(), SlicesSchema()};
}

void SliceOperator::AppendGroups(int64_t start, std::span<const uint32_t> rows,
                                 std::span<const ColumnPtr> columns) const {
  const GroupTable& slice = *slices_.at(start);
  for (const uint32_t row : rows) {
    columns[0]->AppendInt(start);
    columns[1]->AppendInt(plan_->window.ttl ? idle_.touched(row) : 0);
    columns[2]->AppendView(slice.keys().key(row));
  }
  slice.values().AppendPartials(rows, columns.subspan(3));
}

RecordBatch SliceOperator::EncodeGroups(bool all) const {
  const SchemaRef schema = GroupSchema();
  std::vector<ColumnPtr> columns;
  for (const Field& field : schema->fields()) {
    columns.push_back(std::make_shared<Column>(field.type));
  }
  if (all) {
    for (const auto& [start, slice] : slices_) AppendGroups(start, slice->LiveRows(), columns);
  } else {
    for (const int64_t start : unsaved_slices_) {
      const GroupTable& slice = *slices_.at(start);
      AppendGroups(start, slice.LiveOf(slice.unsaved().rows()), columns);
    }
  }
  const size_t count = columns[0]->size();
  if (count == 0) return {};
  return {schema, std::vector<ColumnRef>(columns.begin(), columns.end()), count};
}

RecordBatch SliceOperator::EncodeNext() const {
  if (!next_window_) return {};
  return {SlicesSchema(), {IntColumn({&*next_window_, 1})}, 1};
}

void SliceOperator::EncodeDelta(std::string* out) const {
  if (!dropped_slices_.empty()) {
    AppendSection(kDroppedSlices,
                  RecordBatch(SlicesSchema(), {IntColumn(dropped_slices_)}, dropped_slices_.size()),
                  out);
  }
  if (!dropped_groups_.empty()) {
    std::vector<int64_t> slices;
    std::vector<std::string_view> keys;
    for (const auto& [slice, key] : dropped_groups_) {
      slices.push_back(slice);
      keys.push_back(key);
    }
    AppendSection(kDroppedGroups,
                  RecordBatch(DroppedSchema(), {IntColumn(slices), BytesColumn(keys)}, keys.size()),
                  out);
  }
  AppendSection(kGroups, EncodeGroups(false), out);
  if (next_unsaved_) AppendSection(kNextWindow, EncodeNext(), out);
}

void SliceOperator::EncodeSnapshot(std::string* out) const {
  AppendSection(kGroups, EncodeGroups(true), out);
  AppendSection(kNextWindow, EncodeNext(), out);
}

Status SliceOperator::ApplyGroups(const RecordBatch& rows) {
  const std::vector<int64_t>& slices = rows.column(0).ints;
  for (size_t i = 0; i < rows.num_rows(); ++i) {
    GroupTable* table = Slice(slices[i]);
    Count(*table, -1);
    const uint32_t row = table->RowsOf({&rows.column(2).strings[i], 1})[0];
    table->values().Reset({&row, 1});
    RETURN_IF_ERROR(table->values().Merge({&row, 1}, std::span(rows.columns()).subspan(3), i));
    Count(*table, 1);
    if (plan_->window.ttl) idle_.Touch(row, rows.column(1).ints[i]);
  }
  return OkStatus();
}

Status SliceOperator::Apply(std::string_view blob) {
  ASSIGN_OR_RETURN(const std::vector<StateSection> sections, ReadSections(blob, Schemas()));
  for (const auto& [tag, rows] : sections) {
    const std::vector<int64_t>& slices = rows.column(0).ints;
    if (tag == kDroppedSlices) {
      for (const int64_t slice : slices) {
        const auto it = slices_.find(slice);
        if (it == slices_.end()) continue;
        Count(*it->second, -1);
        slices_.erase(it);
      }
    } else if (tag == kDroppedGroups) {
      for (size_t i = 0; i < slices.size(); ++i) {
        const std::string_view key = rows.column(1).strings[i];
        GroupTable* table = Slice(slices[i]);
        const uint32_t row = table->keys().Find(key, HashKey(key));
        Count(*table, -1);
        if (row != KeyTable::kNone) table->Erase(row);
        Count(*table, 1);
      }
    } else if (tag == kNextWindow) {
      next_window_ = slices[0];
    } else {
      RETURN_IF_ERROR(ApplyGroups(rows).WithContext(plan_->origin));
    }
  }
  return OkStatus();
}

void SliceOperator::Settle() {
  for (const int64_t start : unsaved_slices_) slices_.at(start)->unsaved().Clear();
  unsaved_slices_.clear();
  dropped_slices_.clear();
  dropped_groups_.clear();
  next_unsaved_ = false;
}

int64_t SliceOperator::keys() const { return keys_; }

int64_t SliceOperator::bytes() const { return bytes_; }

}  // namespace millrace::worker
