#include "worker/step/join_output.h"

#include <algorithm>
#include <string>
#include <utility>

#include "worker/state/key_table.h"

namespace millrace::worker {
namespace {

constexpr int64_t kLastMilli = 1000;  // a window's rows carry its end less one millisecond

bool HasGaps(const std::vector<uint32_t>& ids) {
  return std::find(ids.begin(), ids.end(), kNoRow) != ids.end();
}

}  // namespace

void JoinOutput::Begin(JoinRows left, JoinRows right, int64_t window_start) {
  Flush();
  sides_[0] = left;
  sides_[1] = right;
  window_start_ = window_start;
}

void JoinOutput::Flush() {
  if (left_ids_.empty()) return;
  pairs_ += static_cast<int64_t>(left_ids_.size());
  if (pairs_ <= kMaxPairs) {
    std::vector<ColumnRef> columns;
    for (size_t i = 0; i < plan_.columns.size(); ++i) {
      columns.push_back(MakeColumn(plan_.columns[i], (*plan_.schema)[i]));
    }
    out_->push_back(RecordBatch(plan_.schema, std::move(columns), left_ids_.size()));
  }
  left_ids_.clear();
  right_ids_.clear();
}

Status JoinOutput::Finish() {
  Flush();
  if (pairs_ <= kMaxPairs) return OkStatus();
  return InvalidError(plan_.origin + ": more than " + std::to_string(kMaxPairs) +
                      " pairs in one batch and key group; a key joins too many rows of both sides");
}

ColumnRef JoinOutput::MakeColumn(const JoinColumn& source, const Field& field) const {
  using From = JoinColumn::From;
  switch (source.from) {
    case From::kLeft:
      return FromLeft(source, field.type);
    case From::kKey:
      return FromKey(source, field.type);
    case From::kRight:
      return RightStruct();
    case From::kEventTime:
      return EventTimes(field.type);
    case From::kBatchTime: {
      const int64_t time = run_.context->batch_time.time_since_epoch().count();
      return Times(field.type, [time](size_t) { return time; });
    }
    case From::kWindowStart:
      return Times(field.type, [this](size_t) { return window_start_; });
    case From::kWindowEnd:
      return Times(field.type, [this](size_t) { return window_start_ + plan_.length; });
  }
  return nullptr;
}

ColumnRef JoinOutput::FromLeft(const JoinColumn& source, const Type& type) const {
  return GatherOrBlank(sides_[0]->column(source.left), left_ids_, type);
}

// Runs of rows that come from the same side.
ColumnRef JoinOutput::FromKey(const JoinColumn& source, const Type& type) const {
  auto column = std::make_shared<Column>(type);
  column->Reserve(left_ids_.size());
  for (size_t i = 0; i < left_ids_.size();) {
    const bool has_left = left_ids_[i] != kNoRow;
    size_t end = i;
    while (end < left_ids_.size() && (left_ids_[end] != kNoRow) == has_left) ++end;
    const std::vector<uint32_t>& ids = has_left ? left_ids_ : right_ids_;
    const Column& values =
        has_left ? sides_[0]->column(source.left) : sides_[1]->column(source.right);
    column->AppendGather(values, std::span(ids).subspan(i, end - i));
    i = end;
  }
  return column;
}

ColumnRef JoinOutput::RightStruct() const {
  std::vector<ColumnRef> members;
  for (const int i : plan_.right_columns) {
    members.push_back(GatherOrBlank(sides_[1]->column(i), right_ids_));
  }
  if (!HasGaps(right_ids_))
    return StructOf(plan_.right_type, std::move(members), right_ids_.size());
  return StructOf(plan_.right_type, std::move(members), std::span<const uint32_t>(right_ids_));
}

ColumnRef JoinOutput::Times(const Type& type, const std::function<int64_t(size_t)>& time_of) const {
  auto column = std::make_shared<Column>(type);
  column->ints.resize(left_ids_.size());
  for (size_t i = 0; i < left_ids_.size(); ++i) column->ints[i] = time_of(i);
  column->set_size(left_ids_.size());
  return column;
}

// tumbling: the window's last millisecond. global: the later record's, when the pair came to be.
// Else the left record's; the right one's where there is no left.
ColumnRef JoinOutput::EventTimes(const Type& type) const {
  if (plan_.window == JoinWindow::kTumbling && plan_.time[0].event) {
    const int64_t time = window_start_ + plan_.length - kLastMilli;
    return Times(type, [time](size_t) { return time; });
  }
  const JoinColumn left{JoinColumn::From::kLeft, plan_.event_time_columns[0], -1};
  if (!HasGaps(left_ids_) && plan_.window != JoinWindow::kGlobal) return FromLeft(left, type);
  if (!plan_.both_event_times) return FromLeft(left, type);
  const Column& left_times = sides_[0]->column(plan_.event_time_columns[0]);
  const Column& right_times = sides_[1]->column(plan_.event_time_columns[1]);
  return Times(type, [&](size_t i) {
    if (left_ids_[i] == kNoRow) return right_times.ints[right_ids_[i]];
    if (plan_.window != JoinWindow::kGlobal) return left_times.ints[left_ids_[i]];
    return std::max(left_times.ints[left_ids_[i]], right_times.ints[right_ids_[i]]);
  });
}

std::vector<uint8_t> RowsWithKey(const RecordBatch& batch, const std::vector<int>& columns) {
  std::vector<uint8_t> result;
  for (const int i : columns) {
    const std::vector<uint8_t>& valid = batch.column(i).valid;
    if (valid.empty()) continue;
    if (result.empty()) {
      result = valid;
      continue;
    }
    for (size_t row = 0; row < valid.size(); ++row) result[row] &= valid[row];
  }
  return result;
}

void JoinBatches(const JoinPlan& plan, const RecordBatch& left, const RecordBatch& right,
                 int64_t window_start, JoinOutput* output) {
  output->Begin(JoinRows(left), JoinRows(right), window_start);
  EncodedKeys left_keys(plan.keys[0].columns, plan.key_types);
  EncodedKeys right_keys(plan.keys[1].columns, plan.key_types);
  left_keys.Encode(left);
  right_keys.Encode(right);
  const std::vector<uint8_t> left_valid = RowsWithKey(left, plan.keys[0].columns);
  const std::vector<uint8_t> right_valid = RowsWithKey(right, plan.keys[1].columns);

  KeyTable table;
  std::vector<uint32_t> key_rows;
  table.FindOrInsert(right_keys.keys(), right_keys.hashes(), &key_rows);
  std::vector<uint32_t> heads(table.row_limit(), kNoRow);
  std::vector<uint32_t> next(right.num_rows(), kNoRow);
  for (size_t row = right.num_rows(); row-- > 0;) {
    if (!right_valid.empty() && right_valid[row] == 0) continue;
    next[row] = std::exchange(heads[key_rows[row]], static_cast<uint32_t>(row));
  }
  std::vector<uint8_t> matched(plan.keeps_right ? right.num_rows() : 0);
  for (size_t row = 0; row < left.num_rows() && !output->full(); ++row) {
    const bool has_key = left_valid.empty() || left_valid[row] != 0;
    const uint32_t key =
        has_key ? table.Find(left_keys.keys()[row], left_keys.hashes()[row]) : KeyTable::kNone;
    const uint32_t head = key == KeyTable::kNone ? kNoRow : heads[key];
    const auto left_row = static_cast<uint32_t>(row);
    if (head == kNoRow && plan.keeps_left) output->Add(left_row, kNoRow);
    for (uint32_t other = head; other != kNoRow; other = next[other]) {
      output->Add(left_row, other);
      if (plan.keeps_right) matched[other] = 1;
    }
  }
  for (size_t row = 0; row < matched.size(); ++row) {
    if (matched[row] == 0) output->Add(kNoRow, static_cast<uint32_t>(row));
  }
  output->Flush();
}

}  // namespace millrace::worker
