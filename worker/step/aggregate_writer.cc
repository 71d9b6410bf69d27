#include "worker/step/aggregate_writer.h"

#include <algorithm>

#include "worker/step/aggregate_state.h"
#include "worker/step/column_tools.h"

namespace millrace::worker {
namespace {

// Runs of one slice shorter than this on average are gathered first.
constexpr size_t kShortRun = 8;

}  // namespace

SchemaRef SliceWireSchema(const AggregateLayout& layout) {
  return MakeSchema({{"slice", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}},
                    layout.partial_fields);
}

SchemaRef RecordWireSchema(const AggregateLayout& layout) {
  return MakeSchema({{"key", Type(Kind::kBytes)}}, layout.partial_fields);
}

SchemaRef ChangeWireSchema(const AggregateLayout& layout) {
  return MakeSchema(
      {{"latest", Type(Kind::kBytes)}, {"key", Type(Kind::kBytes)}, {"deleted", Type(Kind::kBool)}},
      layout.partial_fields);
}

void SendByUnit(const RecordBatch& rows, std::span<const int> units, int num_units,
                const SendFn& send) {
  std::vector<uint32_t> ends(static_cast<size_t>(num_units) + 1);
  for (const int unit : units) ++ends[static_cast<size_t>(unit) + 1];
  for (size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
  std::vector<uint32_t> order(units.size());
  std::vector<uint32_t> next(ends.begin(), ends.end() - 1);
  for (uint32_t i = 0; i < units.size(); ++i) order[next[static_cast<size_t>(units[i])]++] = i;
  const RecordBatch sorted = rows.Gather(order);
  for (int unit = 0; unit < num_units; ++unit) {
    const size_t from = ends[static_cast<size_t>(unit)], to = ends[static_cast<size_t>(unit) + 1];
    if (from < to) send(unit, sorted.Slice(from, to));
  }
}

CombineWriter::CombineWriter(AggregatePlanRef plan)
    : plan_(std::move(plan)), values_(&plan_->layout) {}

Status CombineWriter::Add(const RecordBatch& batch, TaskRun* run) {
  const bool whole = plan_->window.shape == WindowShape::kBatch;
  const RecordBatch in_time =
      whole ? WithoutDeleted(batch) : DropLate(plan_->window, plan_->origin, batch, run);
  EvaluatedRows rows;
  RETURN_IF_ERROR(EvaluateCalls(*plan_, in_time, run, &rows));
  if (rows.batch.num_rows() == 0) return OkStatus();
  FindSlices(rows, *run);
  Arena arena;
  KeyEncoder(plan_->key_columns).Encode(rows.batch, &arena, &keys_);
  HashKeys(keys_, &hashes_);
  FindRows();
  values_.Resize(next_row_);
  const Status status = UpdateCalls(*plan_, rows, rows_, &values_);
  return status.ok() ? status : plan_->KeyError(status, KeyOf(values_.failed_row()));
}

void CombineWriter::FindSlices(const EvaluatedRows& rows, const TaskRun& run) {
  const WindowPlan& window = plan_->window;
  slice_ids_.clear();
  one_slice_ = 0;
  if (!window.timed()) return;
  if (!window.event_time) {
    one_slice_ = window.grid.SliceOf(ProcessingTime(*run.context).time_since_epoch().count());
    return;
  }
  slice_ids_ = EventTimes(rows.batch, window.time_column);
  const int64_t width = window.grid.width();
  int64_t begin = window.grid.SliceOf(slice_ids_[0]);
  one_slice_ = begin;
  bool one = true;
  for (int64_t& time : slice_ids_) {
    if (time < begin || time - begin >= width) {
      begin = window.grid.SliceOf(time);
      one = false;
    }
    time = begin;
  }
  if (one) slice_ids_.clear();
}

CombineWriter::SliceKeys* CombineWriter::SliceOf(int64_t slice) {
  if (last_ != nullptr && last_slice_ == slice) return last_;
  auto& entry = slices_[slice];
  if (entry == nullptr) entry = std::make_unique<SliceKeys>();
  last_slice_ = slice;
  last_ = entry.get();
  return last_;
}

void CombineWriter::FindRun(SliceKeys* slice, std::span<const std::string_view> keys,
                            std::span<const uint64_t> hashes, uint32_t* rows) {
  slice->keys.FindOrInsert(keys, hashes, &found_);
  // New keys have the next row numbers: nothing is ever erased here.
  while (slice->rows.size() < slice->keys.row_limit()) slice->rows.push_back(next_row_++);
  const uint32_t first = slice->rows.front();
  if (slice->rows.back() - first < slice->rows.size()) {  // no other slice in between
    for (size_t i = 0; i < keys.size(); ++i) rows[i] = first + found_[i];
  } else {
    for (size_t i = 0; i < keys.size(); ++i) rows[i] = slice->rows[found_[i]];
  }
}

void CombineWriter::FindRows() {
  const size_t count = keys_.size();
  rows_.resize(count);
  if (slice_ids_.empty()) return FindRun(SliceOf(one_slice_), keys_, hashes_, rows_.data());
  size_t runs = 1;
  for (size_t i = 1; i < count; ++i) runs += slice_ids_[i] != slice_ids_[i - 1] ? 1 : 0;
  if (runs * kShortRun > count) return FindScattered();
  const std::span<const std::string_view> keys(keys_);
  const std::span<const uint64_t> hashes(hashes_);
  for (size_t from = 0; from < count;) {
    size_t to = from + 1;
    while (to < count && slice_ids_[to] == slice_ids_[from]) ++to;
    FindRun(SliceOf(slice_ids_[from]), keys.subspan(from, to - from),
            hashes.subspan(from, to - from), rows_.data() + from);
    from = to;
  }
}

// Records of many slices in turn: brings those of a slice together, then puts their rows back in
// place.
void CombineWriter::FindScattered() {
  std::vector<uint32_t> order(keys_.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [this](uint32_t a, uint32_t b) { return slice_ids_[a] < slice_ids_[b]; });
  std::vector<std::string_view> keys(order.size());
  std::vector<uint64_t> hashes(order.size());
  std::vector<uint32_t> rows(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    keys[i] = keys_[order[i]];
    hashes[i] = hashes_[order[i]];
  }
  for (size_t from = 0; from < order.size();) {
    size_t to = from + 1;
    while (to < order.size() && slice_ids_[order[to]] == slice_ids_[order[from]]) ++to;
    FindRun(SliceOf(slice_ids_[order[from]]), std::span(keys).subspan(from, to - from),
            std::span(hashes).subspan(from, to - from), rows.data() + from);
    from = to;
  }
  for (size_t i = 0; i < order.size(); ++i) rows_[order[i]] = rows[i];
}

std::string_view CombineWriter::KeyOf(uint32_t row) const {
  for (const auto& [id, slice] : slices_) {
    const auto at = std::lower_bound(slice->rows.begin(), slice->rows.end(), row);
    if (at != slice->rows.end() && *at == row) {
      return slice->keys.key(static_cast<uint32_t>(at - slice->rows.begin()));
    }
  }
  return {};
}

Status CombineWriter::Finish(TaskRun*, const SendFn& send) {
  if (next_row_ == 0) return OkStatus();
  // Buckets by unit; inside, slices ascending and keys in order of first arrival.
  struct Group {
    std::vector<int64_t> slices;
    std::vector<std::string_view> keys;
    std::vector<uint32_t> rows;
  };
  std::vector<Group> groups(static_cast<size_t>(plan_->units));
  for (const auto& [id, slice] : slices_) {
    for (uint32_t i = 0; i < slice->rows.size(); ++i) {
      const int unit = KeyGroupOf(slice->keys.hash(i), plan_->units);
      Group& group = groups[static_cast<size_t>(unit)];
      group.slices.push_back(id);
      group.keys.push_back(slice->keys.key(i));
      group.rows.push_back(slice->rows[i]);
    }
  }
  Group all;
  for (const Group& group : groups) {
    all.slices.insert(all.slices.end(), group.slices.begin(), group.slices.end());
    all.keys.insert(all.keys.end(), group.keys.begin(), group.keys.end());
    all.rows.insert(all.rows.end(), group.rows.begin(), group.rows.end());
  }
  std::vector<ColumnRef> columns{IntColumn(all.slices), BytesColumn(all.keys)};
  for (ColumnRef& partial : values_.Partials(all.rows)) columns.push_back(std::move(partial));
  const RecordBatch batch(SliceWireSchema(plan_->layout), std::move(columns), all.rows.size());
  size_t from = 0;
  for (int unit = 0; unit < plan_->units; ++unit) {
    const size_t size = groups[static_cast<size_t>(unit)].rows.size();
    if (size > 0) send(unit, batch.Slice(from, from + size));
    from += size;
  }
  return OkStatus();
}

Status RecordWriter::Add(const RecordBatch& batch, TaskRun* run) {
  EvaluatedRows rows;
  RETURN_IF_ERROR(EvaluateCalls(*plan_, batch, run, &rows));
  const size_t count = rows.batch.num_rows();
  if (count == 0) return OkStatus();
  std::vector<uint32_t> identity(count);
  for (uint32_t i = 0; i < count; ++i) identity[i] = i;
  Arena arena;
  std::vector<std::string_view> keys, latest;
  KeyEncoder(plan_->key_columns).Encode(rows.batch, &arena, &keys);
  AggregateSet values(&plan_->layout);
  values.Resize(count);
  const Status status = UpdateCalls(*plan_, rows, identity, &values);
  if (!status.ok()) return plan_->KeyError(status, keys[values.failed_row()]);
  std::vector<ColumnRef> columns;
  const bool changes = !plan_->latest_columns.empty();
  if (changes) {
    KeyEncoder(plan_->latest_columns).Encode(rows.batch, &arena, &latest);
    columns.push_back(BytesColumn(latest));
  }
  columns.push_back(BytesColumn(keys));
  if (changes) columns.push_back(Deleted(rows));
  for (ColumnRef& partial : values.Partials(identity)) columns.push_back(std::move(partial));
  pending_.emplace_back(changes ? ChangeWireSchema(plan_->layout) : RecordWireSchema(plan_->layout),
                        std::move(columns), count);
  return OkStatus();
}

ColumnRef RecordWriter::Deleted(const EvaluatedRows& rows) const {
  auto deleted = std::make_shared<Column>(Type(Kind::kBool));
  const Column* input = plan_->deleted_column < 0
                            ? nullptr
                            : &rows.batch.column(static_cast<size_t>(plan_->deleted_column));
  for (size_t i = 0; i < rows.batch.num_rows(); ++i) {
    const bool by_rule =
        rows.deletes != nullptr && !rows.deletes->IsNull(i) && rows.deletes->bools[i] != 0;
    const bool by_input = input != nullptr && !input->IsNull(i) && input->bools[i] != 0;
    deleted->AppendBool(by_rule || by_input);
  }
  return deleted;
}

Status RecordWriter::Finish(TaskRun*, const SendFn& send) {
  if (pending_.empty()) return OkStatus();
  const RecordBatch rows = Concat(pending_);
  const Column& keys = *rows.Find("key");
  std::vector<int> units(rows.num_rows());
  for (size_t i = 0; i < units.size(); ++i) {
    units[i] = KeyGroupOf(HashKey(keys.strings[i]), plan_->units);
  }
  SendByUnit(rows, units, plan_->units, send);
  return OkStatus();
}

}  // namespace millrace::worker
