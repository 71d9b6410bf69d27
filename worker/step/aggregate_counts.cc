#include "worker/step/aggregate_counts.h"

#include <numeric>

#include "worker/step/aggregate_state.h"

namespace millrace::worker {
namespace {

constexpr uint8_t kReplacedKeys = 1, kPanes = 2;

SchemaRef KeySchema() {
  static const SchemaRef schema = MakeSchema({{"key", Type(Kind::kBytes)}});
  return schema;
}

}  // namespace

CountOperator::CountOperator(AggregatePlanRef plan)
    : plan_(std::move(plan)),
      pane_length_(std::gcd(plan_->window.count_length, plan_->window.count_slide)),
      panes_per_window_(static_cast<size_t>(plan_->window.count_length / pane_length_)),
      values_(&plan_->layout) {}

uint32_t CountOperator::NewRow() {
  if (!free_rows_.empty()) {
    const uint32_t row = free_rows_.back();
    free_rows_.pop_back();
    return row;
  }
  values_.Resize(next_row_ + 1);
  return next_row_++;
}

// The pane that takes the next record.
uint32_t CountOperator::AddRecord(Ring* ring) {
  if (ring->in_pane == 0) ring->panes.push_back(NewRow());
  if (++ring->in_pane == pane_length_) ring->in_pane = 0;
  ++ring->since_fire;
  if (ring->panes.size() > panes_per_window_) {
    retired_.push_back(ring->panes.front());
    ring->panes.pop_front();
  }
  return ring->panes.back();
}

void CountOperator::FireRing(const Ring& ring, std::string_view key, Fired* fired) const {
  const auto window = static_cast<uint32_t>(fired->keys.size());
  fired->keys.emplace_back(key);
  for (const uint32_t pane : ring.panes) {
    fired->windows.push_back(window);
    fired->panes.push_back(pane);
  }
}

// Drops the panes that no later window of the key can hold.
void CountOperator::Trim(uint32_t key_row) {
  Ring& ring = rings_[key_row];
  const auto keep =
      static_cast<size_t>((plan_->window.count_length - plan_->window.count_slide) / pane_length_);
  while (ring.panes.size() > keep) {
    retired_.push_back(ring.panes.front());
    ring.panes.pop_front();
  }
}

// All records find their panes first, then one pass folds them in: panes that a window still needs
// are not used again before the end of the batch.
Status CountOperator::Take(const RecordBatch& batch, Fired* fired) {
  const std::span<const std::string_view> keys(batch.column(0).strings);
  std::vector<uint64_t> hashes(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) hashes[i] = HashKey(keys[i]);
  std::vector<uint32_t> key_rows;
  keys_.FindOrInsert(keys, hashes, &key_rows);
  if (rings_.size() < keys_.row_limit()) rings_.resize(keys_.row_limit());
  unsaved_.Add(key_rows);
  touched_.Add(key_rows);
  std::vector<uint32_t> panes(key_rows.size());
  for (size_t i = 0; i < key_rows.size(); ++i) {
    Ring& ring = rings_[key_rows[i]];
    panes[i] = AddRecord(&ring);
    if (ring.since_fire < plan_->window.count_slide) continue;
    FireRing(ring, keys[i], fired);
    ring.since_fire = 0;
    Trim(key_rows[i]);
  }
  const Status status = values_.Merge(panes, std::span(batch.columns()).subspan(1));
  if (status.ok()) return status;
  for (size_t i = 0; i < panes.size(); ++i) {
    if (panes[i] == values_.failed_row()) return plan_->KeyError(status, keys[i]);
  }
  return status;
}

Status CountOperator::Emit(const Fired& fired, TaskRun* run, std::vector<RecordBatch>* out) {
  AggregateSet windows(&plan_->layout);
  windows.Resize(fired.keys.size());
  const Status status = windows.Merge(fired.windows, values_.Partials(fired.panes));
  if (!status.ok()) return plan_->KeyError(status, fired.keys[windows.failed_row()]);
  OutputRows rows;
  for (uint32_t i = 0; i < fired.keys.size(); ++i) {
    rows.keys.emplace_back(fired.keys[i]);
    rows.rows.push_back(i);
  }
  return EmitRows(*plan_, rows, windows, run, out);
}

void CountOperator::EraseKey(uint32_t key_row) {
  Ring& ring = rings_[key_row];
  retired_.insert(retired_.end(), ring.panes.begin(), ring.panes.end());
  ring = Ring{};
  keys_.Erase(key_row);
}

// The input is over: windows that are not full leave by key.
void CountOperator::FireRest(Fired* fired) {
  for (const uint32_t key_row : keys_.SortedRows()) {
    if (rings_[key_row].since_fire > 0) FireRing(rings_[key_row], keys_.key(key_row), fired);
    dropped_keys_.emplace_back(keys_.key(key_row));
    EraseKey(key_row);
  }
}

// Windows that go on, by key: of the keys that the batch touched, or all.
void CountOperator::FireOpen(Fired* fired) const {
  const bool all = plan_->window.emit == api::Emit::kAll;
  std::vector<uint32_t> key_rows = all ? keys_.SortedRows() : touched_.rows();
  if (!all) keys_.SortByKey(&key_rows);
  for (const uint32_t key_row : key_rows) {
    if (rings_[key_row].since_fire > 0) FireRing(rings_[key_row], keys_.key(key_row), fired);
  }
}

Status CountOperator::Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                          std::vector<RecordBatch>* out) {
  Fired fired;
  for (const std::vector<RecordBatch>& batches : arrived) {
    for (const RecordBatch& batch : batches) RETURN_IF_ERROR(Take(batch, &fired));
  }
  if (run->context->final) {
    FireRest(&fired);
  } else if (plan_->window.updating()) {
    FireOpen(&fired);
  }
  touched_.Clear();
  RETURN_IF_ERROR(Emit(fired, run, out));
  for (const uint32_t key_row : unsaved_.rows()) {
    if (!keys_.IsLive(key_row) || !rings_[key_row].panes.empty()) continue;
    dropped_keys_.emplace_back(keys_.key(key_row));
    EraseKey(key_row);
  }
  values_.Reset(retired_);
  free_rows_.insert(free_rows_.end(), retired_.begin(), retired_.end());
  retired_.clear();
  keys_.CompactIfSparse();
  return OkStatus();
}

bool CountOperator::HasWork(const BatchContext& context) const {
  return keys_.size() > 0 && (context.final || plan_->window.emit == api::Emit::kAll);
}

SchemaRef CountOperator::PaneSchema() const {
  return MakeSchema(
      {{"inPane", Type(Kind::kInt)}, {"sinceFire", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}},
      plan_->layout.partial_fields);
}

void CountOperator::EncodePanes(std::span<const uint32_t> key_rows, std::string* out) const {
  std::vector<int64_t> in_pane, since_fire;
  std::vector<std::string_view> keys;
  std::vector<uint32_t> rows;
  for (const uint32_t key_row : key_rows) {
    const Ring& ring = rings_[key_row];
    for (const uint32_t pane : ring.panes) {
      in_pane.push_back(ring.in_pane);
      since_fire.push_back(ring.since_fire);
      keys.push_back(keys_.key(key_row));
      rows.push_back(pane);
    }
  }
  if (rows.empty()) return;
  std::vector<ColumnRef> columns{IntColumn(in_pane), IntColumn(since_fire), BytesColumn(keys)};
  for (ColumnRef& partial : values_.Partials(rows)) columns.push_back(std::move(partial));
  AppendSection(kPanes, RecordBatch(PaneSchema(), std::move(columns), rows.size()), out);
}

void CountOperator::EncodeDelta(std::string* out) const {
  std::vector<std::string_view> replaced(dropped_keys_.begin(), dropped_keys_.end());
  std::vector<uint32_t> key_rows;
  for (const uint32_t key_row : unsaved_.rows()) {
    if (!keys_.IsLive(key_row)) continue;
    key_rows.push_back(key_row);
    replaced.push_back(keys_.key(key_row));
  }
  if (replaced.empty()) return;
  AppendSection(kReplacedKeys, RecordBatch(KeySchema(), {BytesColumn(replaced)}, replaced.size()),
                out);
  EncodePanes(key_rows, out);
}

void CountOperator::EncodeSnapshot(std::string* out) const { EncodePanes(keys_.SortedRows(), out); }

Status CountOperator::Apply(std::string_view blob) {
  ASSIGN_OR_RETURN(const std::vector<StateSection> sections,
                   ReadSections(blob, {nullptr, KeySchema(), PaneSchema()}));
  for (const auto& [tag, rows] : sections) {
    const Column& keys = rows.column(tag == kReplacedKeys ? 0 : 2);
    for (size_t i = 0; i < rows.num_rows(); ++i) {
      const std::string_view key = keys.strings[i];
      if (tag == kReplacedKeys) {
        const uint32_t key_row = keys_.Find(key, HashKey(key));
        if (key_row != KeyTable::kNone) EraseKey(key_row);
        continue;
      }
      bool inserted = false;
      const uint32_t key_row = keys_.FindOrInsert(key, HashKey(key), &inserted);
      if (rings_.size() < keys_.row_limit()) rings_.resize(keys_.row_limit());
      Ring& ring = rings_[key_row];
      ring.in_pane = rows.column(0).ints[i];
      ring.since_fire = rows.column(1).ints[i];
      ring.panes.push_back(NewRow());
      RETURN_IF_ERROR(
          values_.Merge({&ring.panes.back(), 1}, std::span(rows.columns()).subspan(3), i)
              .WithContext(plan_->origin));
    }
  }
  values_.Reset(retired_);
  free_rows_.insert(free_rows_.end(), retired_.begin(), retired_.end());
  retired_.clear();
  return OkStatus();
}

void CountOperator::Settle() {
  unsaved_.Clear();
  dropped_keys_.clear();
}

int64_t CountOperator::bytes() const {
  return static_cast<int64_t>(keys_.ByteSize() + values_.ByteSize());
}

}  // namespace millrace::worker
