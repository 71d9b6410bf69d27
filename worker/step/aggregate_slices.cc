#include "worker/step/aggregate_slices.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::worker {
namespace {

constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();
// Empty windows that one batch may emit: a record with a wild time stamp must not fill the disk.
constexpr int64_t kMaxEmptyWindows = 1'000'000;
// Rows of short windows that leave in one batch of records.
constexpr size_t kLeavingRows = 4096;

}  // namespace

SliceOperator::SliceOperator(AggregatePlanRef plan)
    : plan_(std::move(plan)), idle_(plan_->window.ttl.value_or(0)) {
  const WindowPlan& window = plan_->window;
  if (window.shape != WindowShape::kSliding || window.updating()) return;
  sliding_ = plan_->layout.exact() ? MakeTotals(&plan_->layout, &window.grid, &slices_)
                                   : MakeBlocks(&plan_->layout, &window.grid, &slices_);
}

GroupTable* SliceOperator::Slice(int64_t start) {
  auto& slice = slices_[start];
  if (slice == nullptr) slice = std::make_unique<GroupTable>(&plan_->layout);
  return slice.get();
}

void SliceOperator::Count(const GroupTable& table, int sign) {
  keys_ += sign * static_cast<int64_t>(table.keys().size());
  bytes_ += sign * static_cast<int64_t>(table.ByteSize());
}

// ---- arrivals ----

Status SliceOperator::Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                          std::vector<RecordBatch>* out) {
  const BatchContext& context = *run->context;
  const WindowPlan& window = plan_->window;
  const int64_t previous = window.Previous(context);
  const int64_t now = window.Now(context);
  const int64_t late = std::min(window.LateBefore(context), now);
  const int64_t closed = std::max(late, previous);
  fired_before_ = kBeginning;
  open_from_ =
      window.timed() && late > kBeginning / 2 ? window.grid.FirstOpenWindow(late) : kBeginning;
  if (window.timed()) RETURN_IF_ERROR(Fire(previous, late, run, out));
  for (const std::vector<RecordBatch>& batches : arrived) {
    for (const RecordBatch& batch : batches) RETURN_IF_ERROR(MergeArrived(batch));
  }
  if (window.ttl) Touch(context);
  if (window.updating() && window.shape != WindowShape::kBatch) {
    RETURN_IF_ERROR(EmitUpdates(closed, run, out));
  }
  if (window.ttl) Expire(run);
  if (window.timed()) RETURN_IF_ERROR(Fire(closed, now, run, out));
  if (window.shape == WindowShape::kBatch) {
    if (plan_->keyless()) {
      const std::string_view key;
      Slice(0)->RowsOf({&key, 1});
    }
    if (!slices_.empty()) {
      const GroupTable& table = *slices_.begin()->second;
      RETURN_IF_ERROR(EmitWindow(0, table, table.LiveRows(), run, out));
      RETURN_IF_ERROR(EmitLeaving(run, out));
    }
    slices_.clear();
    unsaved_slices_.clear();
    keys_ = bytes_ = 0;
  }
  for (const int64_t slice : unsaved_slices_) slices_.at(slice)->changed().Clear();
  return OkStatus();
}

Status SliceOperator::MergeArrived(const RecordBatch& batch) {
  const std::vector<int64_t>& slices = batch.column(0).ints;
  const std::span<const std::string_view> keys(batch.column(1).strings);
  const std::span<const ColumnRef> partials = std::span(batch.columns()).subspan(2);
  for (size_t from = 0; from < slices.size();) {
    size_t to = from + 1;
    while (to < slices.size() && slices[to] == slices[from]) ++to;
    RETURN_IF_ERROR(MergeRun(slices[from], keys.subspan(from, to - from), partials, from));
    from = to;
  }
  return OkStatus();
}

Status SliceOperator::MergeRun(int64_t slice, std::span<const std::string_view> keys,
                               std::span<const ColumnRef> partials, size_t begin) {
  GroupTable* table = Slice(slice);
  const bool used = sliding_ != nullptr && sliding_->Holds(slice);
  Count(*table, -1);
  if (used) {
    for (const std::string_view key : keys) {
      if (table->keys().Find(key, HashKey(key)) == KeyTable::kNone) sliding_->Inserted(slice, key);
    }
  }
  Status status = table->Merge(keys, partials, begin);
  Count(*table, 1);
  unsaved_slices_.insert(slice);
  if (!status.ok()) {
    return plan_->KeyError(status, table->keys().key(table->values().failed_row()));
  }
  if (used) status = sliding_->Merged(slice, keys, partials, begin);
  const WindowPlan& window = plan_->window;
  if (plan_->keyless() && window.timed() && !window.updating()) {
    if (!next_window_) {
      next_window_ = std::max(window.grid.FirstWindowOf(slice), open_from_);
      next_unsaved_ = true;
    }
  }
  return status;
}

// ---- windows that close ----

// Start of the first window that has data and ends after `closed`. Requires: a slice.
int64_t SliceOperator::FirstDue(int64_t closed) const {
  const SliceGrid& grid = plan_->window.grid;
  int64_t start = grid.FirstWindowOf(slices_.begin()->first);
  if (closed > kBeginning / 2) start = std::max(start, grid.FirstOpenWindow(closed));
  return start;
}

// Lets all windows leave that end after `closed`, at or before `bound`, and have not left yet.
Status SliceOperator::Fire(int64_t closed, int64_t bound, TaskRun* run,
                           std::vector<RecordBatch>* out) {
  if (bound <= kBeginning / 2) return OkStatus();
  const WindowPlan& window = plan_->window;
  const SliceGrid& grid = window.grid;
  if (!window.updating()) {
    while (!slices_.empty()) {
      int64_t start = std::max(FirstDue(closed), fired_before_);
      const auto slice = slices_.lower_bound(start);
      if (slice == slices_.end()) break;
      start = std::max(start, grid.FirstWindowOf(slice->first));
      if (start > bound - grid.length()) break;
      RETURN_IF_ERROR(FillEmpty(start, run, out));
      RETURN_IF_ERROR(FireWindow(start, run, out));
      fired_before_ = start + grid.slide();
    }
    RETURN_IF_ERROR(EmitLeaving(run, out));
    if (bound != std::numeric_limits<int64_t>::max()) {
      RETURN_IF_ERROR(FillEmpty(grid.FirstOpenWindow(bound), run, out));
    }
  }
  return DropClosed(bound);
}

Status SliceOperator::FireWindow(int64_t start, TaskRun* run, std::vector<RecordBatch>* out) {
  if (sliding_ == nullptr) {
    const GroupTable& table = *slices_.at(start);
    RETURN_IF_ERROR(EmitWindow(start, table, table.LiveRows(), run, out));
  } else {
    auto table = sliding_->At(start);
    if (!table.ok()) return table.status().WithContext(plan_->origin);
    RETURN_IF_ERROR(EmitWindow(start, **table, (*table)->LiveRows(), run, out));
    KeepLeavingKeys();
  }
  if (next_window_) {
    next_window_ = start + plan_->window.grid.slide();
    next_unsaved_ = true;
  }
  return OkStatus();
}

// Empty windows of a keyless aggregate that start before `before_start`.
Status SliceOperator::FillEmpty(int64_t before_start, TaskRun* run, std::vector<RecordBatch>* out) {
  if (!next_window_ || *next_window_ >= before_start) return OkStatus();
  const SliceGrid& grid = plan_->window.grid;
  const int64_t count = (before_start - *next_window_) / grid.slide();
  if (count > kMaxEmptyWindows) {
    return InvalidError(plan_->origin + ": " + std::to_string(count) + " empty windows of " +
                        std::to_string(grid.slide()) + " us would leave at once (limit " +
                        std::to_string(kMaxEmptyWindows) +
                        "): check the event times, or use longer windows");
  }
  AggregateSet empty(&plan_->layout);
  empty.Resize(1);
  OutputRows rows;
  for (; *next_window_ < before_start; *next_window_ += grid.slide()) {
    rows.keys.emplace_back();
    rows.rows.push_back(0);
    rows.starts.push_back(*next_window_);
    rows.ends.push_back(*next_window_ + grid.length());
  }
  next_unsaved_ = true;
  RETURN_IF_ERROR(EmitLeaving(run, out));
  return EmitRows(*plan_, rows, empty, run, out);
}

Status SliceOperator::DropClosed(int64_t bound) {
  const SliceGrid& grid = plan_->window.grid;
  auto it = slices_.begin();
  while (it != slices_.end() && grid.LastEndOf(it->first) <= bound) ++it;
  if (it == slices_.begin()) return OkStatus();
  if (sliding_ != nullptr) {
    const int64_t start = std::prev(it)->first + 1;
    RETURN_IF_ERROR(sliding_->DropBefore(start));
  }
  for (auto drop = slices_.begin(); drop != it; ++drop) {
    dropped_slices_.push_back(drop->first);
    unsaved_slices_.erase(drop->first);
    Count(*drop->second, -1);
  }
  slices_.erase(slices_.begin(), it);
  return OkStatus();
}

Status SliceOperator::EmitWindow(int64_t start, const GroupTable& table, std::vector<uint32_t> rows,
                                 TaskRun* run, std::vector<RecordBatch>* out) {
  table.keys().SortByKey(&rows);
  for (const uint32_t row : rows) leaving_.keys.push_back(table.keys().key(row));
  if (plan_->window.timed()) {
    leaving_.starts.resize(leaving_.keys.size(), start);
    leaving_.ends.resize(leaving_.keys.size(), start + plan_->window.grid.length());
  }
  table.values().AppendResults(rows, &leaving_results_);
  return leaving_.keys.size() < kLeavingRows ? OkStatus() : EmitLeaving(run, out);
}

// Lets the table that the last rows came from change before they are sent on.
void SliceOperator::KeepLeavingKeys() {
  if (leaving_arena_ == nullptr) leaving_arena_ = std::make_unique<Arena>();
  for (; leaving_kept_ < leaving_.keys.size(); ++leaving_kept_) {
    leaving_.keys[leaving_kept_] = leaving_arena_->Copy(leaving_.keys[leaving_kept_]);
  }
}

// Sends on what EmitWindow gathered. Called before the tables that it came from change, but for
// keys that are kept.
Status SliceOperator::EmitLeaving(TaskRun* run, std::vector<RecordBatch>* out) {
  const OutputRows rows = std::exchange(leaving_, {});
  const std::vector<ColumnPtr> columns = std::exchange(leaving_results_, {});
  const std::vector<ColumnRef> results(columns.begin(), columns.end());
  leaving_kept_ = 0;
  const std::unique_ptr<Arena> kept = std::exchange(leaving_arena_, nullptr);
  return EmitResults(*plan_, rows, results, run, out);
}

// ---- Changes and All ----

// Groups of an open window, merged from its slices; only those that this batch changed unless
// `all`.
Result<std::unique_ptr<GroupTable>> SliceOperator::FoldChanged(int64_t start, bool all) const {
  const SliceGrid& grid = plan_->window.grid;
  const auto from = slices_.lower_bound(start), to = slices_.lower_bound(start + grid.length());
  auto result = std::make_unique<GroupTable>(&plan_->layout);
  GroupTable keys(&plan_->layout);
  for (auto it = from; it != to && !all; ++it) {
    keys.RowsOf(it->second->KeysOf(it->second->changed().rows()));
  }
  if (!all && keys.keys().size() == 0) return result;
  for (auto it = from; it != to; ++it) {
    std::vector<uint32_t> rows = it->second->LiveRows();
    if (!all) {
      std::erase_if(rows, [&](uint32_t row) {
        const KeyTable& table = it->second->keys();
        return keys.keys().Find(table.key(row), table.hash(row)) == KeyTable::kNone;
      });
    }
    RETURN_IF_ERROR(result->MergeRows(*it->second, rows));
  }
  return result;
}

Status SliceOperator::EmitUpdates(int64_t closed, TaskRun* run, std::vector<RecordBatch>* out) {
  if (slices_.empty()) return OkStatus();
  const WindowPlan& window = plan_->window;
  const bool all = window.emit == api::Emit::kAll;
  if (window.shape != WindowShape::kSliding) {
    for (const auto& [start, slice] : slices_) {
      std::vector<uint32_t> rows = all ? slice->LiveRows() : slice->LiveOf(slice->changed().rows());
      RETURN_IF_ERROR(EmitWindow(start, *slice, std::move(rows), run, out));
    }
    return EmitLeaving(run, out);
  }
  const SliceGrid& grid = window.grid;
  const int64_t last = slices_.rbegin()->first;
  for (int64_t start = FirstDue(closed); start <= last; start += grid.slide()) {
    const auto next = slices_.lower_bound(start);
    if (next == slices_.end()) break;
    start = std::max(start, grid.FirstWindowOf(next->first));
    auto table = FoldChanged(start, all);
    if (!table.ok()) return table.status().WithContext(plan_->origin);
    RETURN_IF_ERROR(EmitWindow(start, **table, (*table)->LiveRows(), run, out));
    RETURN_IF_ERROR(EmitLeaving(run, out));
  }
  return OkStatus();
}

// ---- ttl of global groups ----

void SliceOperator::Touch(const BatchContext& context) {
  if (slices_.empty()) return;
  const int64_t now = plan_->window.Now(context);
  GroupTable& table = *slices_.begin()->second;
  for (const uint32_t row : table.changed().rows()) idle_.Touch(row, now);
}

void SliceOperator::Expire(TaskRun* run) {
  if (slices_.empty() || run->context->final) return;
  GroupTable& table = *slices_.begin()->second;
  Count(table, -1);
  unsaved_slices_.insert(slices_.begin()->first);
  const auto drop = [&](uint32_t row) {
    dropped_groups_.emplace_back(0, table.keys().key(row));
    table.Erase(row);
    ++run->report->expired_keys;
  };
  idle_.Take(
      plan_->window.Now(*run->context), [&](uint32_t row) { return table.keys().IsLive(row); },
      drop, [&](uint32_t row) { table.unsaved().Add(row); });
  table.CompactIfSparse();
  Count(table, 1);
}

}  // namespace millrace::worker
