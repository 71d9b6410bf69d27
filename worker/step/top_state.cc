#include "worker/step/aggregate_state.h"
#include "worker/step/top_operator.h"

namespace millrace::worker {
namespace {

constexpr uint8_t kDroppedSlices = 1, kReplacedKeys = 2, kRows = 3, kNextSeq = 4, kTouched = 5;

SchemaRef NumberSchema() {
  static const SchemaRef schema = MakeSchema({{"slice", Type(Kind::kInt)}});
  return schema;
}
SchemaRef KeySchema() {
  static const SchemaRef schema =
      MakeSchema({{"slice", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}});
  return schema;
}
SchemaRef TouchedSchema() {
  static const SchemaRef schema =
      MakeSchema({{"touched", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}});
  return schema;
}

void AppendNumbers(uint8_t tag, std::span<const int64_t> values, std::string* out) {
  AppendSection(tag, RecordBatch(NumberSchema(), {IntColumn(values)}, values.size()), out);
}

}  // namespace

std::vector<SchemaRef> TopOperator::Schemas() const {
  return {nullptr,        NumberSchema(), KeySchema(), plan_->wire_schema,
          NumberSchema(), TouchedSchema()};
}

void TopOperator::EncodeRows(bool all, std::string* out) const {
  std::vector<int64_t> replaced_slices;
  std::vector<std::string_view> replaced(dropped_keys_.begin(), dropped_keys_.end());
  replaced_slices.resize(replaced.size());  // all of slice 0
  std::vector<RecordBatch> parts;
  for (const auto& [start, table] : slices_) {
    std::vector<uint32_t> key_rows = table->unsaved().rows();
    if (all) key_rows = table->keys().SortedRows();
    std::vector<uint32_t> rows;
    std::vector<std::string_view> keys;
    for (const uint32_t key_row : key_rows) {
      if (!table->keys().IsLive(key_row)) continue;
      replaced_slices.push_back(start);
      replaced.push_back(table->keys().key(key_row));
      for (const uint32_t row : table->list(key_row)) {
        rows.push_back(row);
        keys.push_back(table->keys().key(key_row));
      }
    }
    if (rows.empty()) continue;
    std::vector<ColumnRef> columns{IntColumn(std::vector<int64_t>(rows.size(), start)),
                                   BytesColumn(keys)};
    const RecordBatch stored = table->Rows(rows);
    columns.insert(columns.end(), stored.columns().begin(), stored.columns().end());
    parts.emplace_back(plan_->wire_schema, std::move(columns), rows.size());
  }
  if (!all && !replaced.empty()) {
    AppendSection(kReplacedKeys,
                  RecordBatch(KeySchema(), {IntColumn(replaced_slices), BytesColumn(replaced)},
                              replaced.size()),
                  out);
  }
  if (parts.empty()) return;
  AppendSection(kRows, Concat(parts), out);
  AppendNumbers(kNextSeq, {&next_seq_, 1}, out);
}

void TopOperator::EncodeTouched(std::span<const uint32_t> key_rows, std::string* out) const {
  if (key_rows.empty() || slices_.empty()) return;
  const KeyTable& keys = slices_.begin()->second->keys();
  std::vector<int64_t> touched;
  std::vector<std::string_view> names;
  for (const uint32_t key_row : key_rows) {
    if (!keys.IsLive(key_row)) continue;
    touched.push_back(idle_.touched(key_row));
    names.push_back(keys.key(key_row));
  }
  AppendSection(
      kTouched,
      RecordBatch(TouchedSchema(), {IntColumn(touched), BytesColumn(names)}, names.size()), out);
}

void TopOperator::EncodeDelta(std::string* out) const {
  if (!dropped_slices_.empty()) AppendNumbers(kDroppedSlices, dropped_slices_, out);
  EncodeRows(false, out);
  EncodeTouched(touched_.rows(), out);
}

void TopOperator::EncodeSnapshot(std::string* out) const {
  EncodeRows(true, out);
  if (plan_->window.ttl && !slices_.empty()) {
    EncodeTouched(slices_.begin()->second->keys().SortedRows(), out);
  }
}

Status TopOperator::Apply(std::string_view blob) {
  ASSIGN_OR_RETURN(const std::vector<StateSection> sections, ReadSections(blob, Schemas()));
  for (const auto& [tag, rows] : sections) {
    const std::vector<int64_t>& numbers = rows.column(0).ints;
    if (tag == kNextSeq) {
      next_seq_ = numbers[0];
      continue;
    }
    if (tag == kDroppedSlices) {
      for (const int64_t slice : numbers) slices_.erase(slice);
      continue;
    }
    const std::vector<std::string_view>& keys = rows.column(1).strings;
    if (tag == kTouched) {
      for (size_t i = 0; i < keys.size(); ++i) {
        const uint32_t key_row = Slice(0)->keys().Find(keys[i], HashKey(keys[i]));
        if (key_row != KeyTable::kNone) idle_.Touch(key_row, numbers[i]);
      }
      continue;
    }
    const std::vector<ColumnRef> columns(rows.columns().begin() + 2, rows.columns().end());
    const bool replaced = tag == kReplacedKeys;
    const RecordBatch stored =
        replaced ? RecordBatch() : RecordBatch(plan_->order.row_schema, columns, rows.num_rows());
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (replaced) {
        Slice(numbers[i])->EraseKey(keys[i]);
      } else {
        Slice(numbers[i])->Restore(keys[i], stored, i);
      }
    }
  }
  return OkStatus();
}

void TopOperator::Settle() {
  for (const auto& [start, slice] : slices_) slice->unsaved().Clear();
  dropped_slices_.clear();
  dropped_keys_.clear();
  touched_.Clear();
}

int64_t TopOperator::keys() const {
  size_t keys = 0;
  for (const auto& [start, slice] : slices_) keys += slice->keys().size();
  return static_cast<int64_t>(keys);
}

int64_t TopOperator::bytes() const {
  size_t bytes = 0;
  for (const auto& [start, slice] : slices_) bytes += slice->ByteSize();
  return static_cast<int64_t>(bytes);
}

}  // namespace millrace::worker
