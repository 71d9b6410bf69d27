#include "worker/step/top_operator.h"

#include <algorithm>
#include <limits>
#include <set>

#include "worker/step/aggregate_state.h"

namespace millrace::worker {
namespace {

constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();

}  // namespace

TopOperator::TopOperator(TopPlanRef plan)
    : plan_(std::move(plan)), idle_(plan_->window.ttl.value_or(0)) {}

TopTable* TopOperator::Slice(int64_t start) {
  auto& slice = slices_[start];
  if (slice == nullptr) slice = std::make_unique<TopTable>(&plan_->order);
  return slice.get();
}

Status TopOperator::Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                        std::vector<RecordBatch>* out) {
  const WindowPlan& window = plan_->window;
  const int64_t now = window.Now(*run->context);
  const int64_t late = std::min(window.LateBefore(*run->context), now);
  const int64_t previous = window.Previous(*run->context);
  const int64_t closed = std::max(late, previous);
  fired_before_ = kBeginning;
  if (window.timed()) RETURN_IF_ERROR(Fire(previous, late, run, out));
  for (const std::vector<RecordBatch>& batches : arrived) {
    for (const RecordBatch& batch : batches) {
      if (window.updating()) RememberRows(batch, closed);
      if (plan_->replaces_batches()) BeginKeys(batch);
    }
  }
  for (const std::vector<RecordBatch>& batches : arrived) {
    for (const RecordBatch& batch : batches) {
      RETURN_IF_ERROR(Merge(batch));
      if (window.ttl) Touch(batch, now);
    }
  }
  if (window.updating()) RETURN_IF_ERROR(EmitUpdates(closed, run, out));
  if (window.ttl) Expire(run);
  if (window.timed()) RETURN_IF_ERROR(Fire(closed, now, run, out));
  if (window.shape == WindowShape::kBatch && !window.updating()) {
    RETURN_IF_ERROR(EmitWindow(0, false, run, out));
    slices_.clear();
  }
  before_.clear();
  for (const auto& [start, slice] : slices_) {
    slice->changed().Clear();
    slice->CompactIfSparse();
  }
  return OkStatus();
}

// Sequence numbers of senders order rows inside one batch only; here they become unique.
Status TopOperator::Merge(RecordBatch batch) {
  std::vector<uint32_t> order(batch.num_rows());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const std::vector<int64_t>& sent = batch.column(2).ints;
  const std::vector<int64_t>& slices = batch.column(0).ints;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return slices[a] != slices[b] ? slices[a] < slices[b] : sent[a] < sent[b];
  });
  batch = batch.Gather(order);
  // One unit's numbers keep their distances; the next batch starts behind the largest.
  std::vector<int64_t> seq = batch.column(2).ints;
  int64_t end = next_seq_;
  for (int64_t& value : seq) {
    value += next_seq_;
    end = std::max(end, value + 1);
  }
  next_seq_ = end;
  std::vector<ColumnRef> columns(batch.columns().begin() + 2, batch.columns().end());
  columns[0] = IntColumn(seq);
  const RecordBatch rows(plan_->order.row_schema, std::move(columns), batch.num_rows());
  const std::vector<int64_t>& starts = batch.column(0).ints;
  const std::span<const std::string_view> keys(batch.column(1).strings);
  for (size_t from = 0; from < starts.size();) {
    size_t to = from + 1;
    while (to < starts.size() && starts[to] == starts[from]) ++to;
    TopTable* table = Slice(starts[from]);
    const Status status = table->Offer(keys.subspan(from, to - from), rows, from);
    if (!status.ok()) return plan_->KeyError(status, table->failed_key());
    from = to;
  }
  return OkStatus();
}

// ---- ranking ----

// Keys of a window in order.
std::vector<std::string_view> TopOperator::KeysOf(int64_t start, bool changed) const {
  std::set<std::string_view> keys;
  const auto end = plan_->window.timed() ? slices_.lower_bound(start + plan_->window.grid.length())
                                         : slices_.end();
  for (auto it = slices_.lower_bound(start); it != end; ++it) {
    const KeyTable& table = it->second->keys();
    if (changed) {
      for (const uint32_t row : it->second->changed().rows()) keys.insert(table.key(row));
      continue;
    }
    for (uint32_t row = 0; row < table.row_limit(); ++row) {
      if (table.IsLive(row)) keys.insert(table.key(row));
    }
  }
  return {keys.begin(), keys.end()};
}

// The best rows of a key in a window, best first.
std::vector<TopOperator::Place> TopOperator::Rank(int64_t start, std::string_view key) const {
  std::vector<Place> places;
  const auto end = plan_->window.timed() ? slices_.lower_bound(start + plan_->window.grid.length())
                                         : slices_.end();
  const uint64_t hash = HashKey(key);
  for (auto it = slices_.lower_bound(start); it != end; ++it) {
    const uint32_t key_row = it->second->keys().Find(key, hash);
    if (key_row == KeyTable::kNone) continue;
    for (const uint32_t row : it->second->list(key_row)) places.push_back({it->second.get(), row});
  }
  const auto compare = [this](const Place& a, const Place& b) {
    return CompareRank(plan_->order, a.table->columns(), a.row, b.table->columns(), b.row);
  };
  std::sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
    const int order = compare(a, b);
    return order != 0 ? order < 0
                      : a.table->columns()[0]->ints[a.row] < b.table->columns()[0]->ints[b.row];
  });
  size_t keep = std::min(places.size(), plan_->order.limit);
  while (plan_->order.ties && keep < places.size() &&
         compare(places[keep], places[keep - 1]) == 0) {
    ++keep;
  }
  places.resize(keep);
  return places;
}

// 1, 1, 3: equal rows share the rank of the first of them.
std::vector<int64_t> TopOperator::RanksOf(const std::vector<Place>& places) const {
  std::vector<int64_t> ranks;
  for (size_t i = 0; i < places.size(); ++i) {
    const bool tied = i > 0 && CompareRank(plan_->order, places[i].table->columns(), places[i].row,
                                           places[i - 1].table->columns(), places[i - 1].row) == 0;
    ranks.push_back(tied ? ranks.back() : static_cast<int64_t>(i) + 1);
  }
  return ranks;
}

// ---- windows ----

int64_t TopOperator::FirstDue(int64_t closed) const {
  const SliceGrid& grid = plan_->window.grid;
  int64_t start = grid.FirstWindowOf(slices_.begin()->first);
  if (closed > kBeginning / 2) start = std::max(start, grid.FirstOpenWindow(closed));
  return start;
}

Status TopOperator::EmitUpdates(int64_t closed, TaskRun* run, std::vector<RecordBatch>* out) {
  const bool changed_only = plan_->window.emit == api::Emit::kChanges || plan_->replaces_batches();
  if (slices_.empty()) return OkStatus();
  if (!plan_->window.timed()) return EmitWindow(0, changed_only, run, out);
  const SliceGrid& grid = plan_->window.grid;
  const int64_t last = slices_.rbegin()->first;
  for (int64_t start = FirstDue(closed); start <= last; start += grid.slide()) {
    const auto next = slices_.lower_bound(start);
    if (next == slices_.end()) break;
    start = std::max(start, grid.FirstWindowOf(next->first));
    RETURN_IF_ERROR(EmitWindow(start, changed_only, run, out));
  }
  return OkStatus();
}

// Lets all windows leave that end after `closed` and at or before `bound`, then drops slices that
// no open window holds.
Status TopOperator::Fire(int64_t closed, int64_t bound, TaskRun* run,
                         std::vector<RecordBatch>* out) {
  if (bound <= kBeginning / 2) return OkStatus();
  const SliceGrid& grid = plan_->window.grid;
  while (!slices_.empty() && !plan_->window.updating()) {
    int64_t start = std::max(FirstDue(closed), fired_before_);
    const auto slice = slices_.lower_bound(start);
    if (slice == slices_.end()) break;
    start = std::max(start, grid.FirstWindowOf(slice->first));
    if (start > bound - grid.length()) break;
    RETURN_IF_ERROR(EmitWindow(start, false, run, out));
    fired_before_ = start + grid.slide();
  }
  DropClosed(bound);
  return OkStatus();
}

void TopOperator::DropClosed(int64_t bound) {
  while (!slices_.empty() && plan_->window.grid.LastEndOf(slices_.begin()->first) <= bound) {
    dropped_slices_.push_back(slices_.begin()->first);
    slices_.erase(slices_.begin());
  }
}

// ---- keys ----

// The rows that a batch window kept of its keys make way for those of the batch.
void TopOperator::BeginKeys(const RecordBatch& batch) {
  for (const std::string_view key : batch.column(1).strings) {
    TopTable* table = Slice(0);
    const uint32_t key_row = table->keys().Find(key, HashKey(key));
    if (key_row != KeyTable::kNone && !table->changed().Has(key_row)) table->EmptyKey(key_row);
  }
}

// A key counts as touched though none of its rows is good enough to stay.
void TopOperator::Touch(const RecordBatch& batch, int64_t now) {
  const KeyTable& keys = Slice(0)->keys();
  for (const std::string_view key : batch.column(1).strings) {
    const uint32_t key_row = keys.Find(key, HashKey(key));
    idle_.Touch(key_row, now);
    touched_.Add(key_row);
  }
}

void TopOperator::Expire(TaskRun* run) {
  if (slices_.empty() || run->context->final) return;
  TopTable* table = Slice(0);
  const auto drop = [&](uint32_t key_row) {
    const std::string key(table->keys().key(key_row));
    dropped_keys_.push_back(key);
    table->EraseKey(key);
    ++run->report->expired_keys;
  };
  idle_.Take(
      plan_->window.Now(*run->context), [&](uint32_t row) { return table->keys().IsLive(row); },
      drop, [&](uint32_t row) { touched_.Add(row); });
}

bool TopOperator::HasWork(const BatchContext& context) const {
  const WindowPlan& window = plan_->window;
  if (slices_.empty() || window.shape == WindowShape::kBatch) return false;
  if (window.emit == api::Emit::kAll) return true;
  const int64_t now = window.Now(context);
  if (!window.timed()) return window.ttl && !context.final && idle_.due(now);
  if (now <= kBeginning / 2) return false;
  if (window.grid.LastEndOf(slices_.begin()->first) <= now) return true;
  return !window.updating() && FirstDue(window.Previous(context)) <= now - window.grid.length();
}

}  // namespace millrace::worker
