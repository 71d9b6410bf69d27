#include <algorithm>
#include <limits>

#include "worker/step/top_operator.h"

// The rows of a top step that leave, and those that are withdrawn.
namespace millrace::worker {
namespace {

constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();

}  // namespace

std::vector<ColumnPtr> TopOperator::NewFields() const {
  std::vector<ColumnPtr> fields;
  for (size_t i = plan_->order.fields_begin(); i < plan_->order.row_schema->size(); ++i) {
    fields.push_back(std::make_shared<Column>((*plan_->order.row_schema)[i].type));
  }
  return fields;
}

// Rows of the touched keys in every open window; taken once per batch.
void TopOperator::RememberRows(const RecordBatch& batch, int64_t closed) {
  const bool timed = plan_->window.timed();
  const SliceGrid& grid = plan_->window.grid;
  const size_t begin = plan_->order.fields_begin();
  for (size_t i = 0; i < batch.num_rows(); ++i) {
    const int64_t slice = batch.column(0).ints[i];
    const std::string_view key = batch.column(1).strings[i];
    int64_t start = timed ? grid.FirstWindowOf(slice) : 0;
    if (timed && closed > kBeginning / 2) start = std::max(start, grid.FirstOpenWindow(closed));
    const int64_t last = timed ? grid.LastWindowOf(slice) : 0;
    for (; start <= last; start += timed ? grid.slide() : 1) {
      auto& keys = before_[start];
      if (keys.contains(key)) continue;
      const std::vector<Place> places = Rank(start, key);
      Before before{.fields = NewFields(), .seqs = {}, .ranks = RanksOf(places)};
      for (const Place& place : places) {
        before.seqs.push_back(place.seq());
        for (size_t c = 0; c < before.fields.size(); ++c) {
          before.fields[c]->AppendFrom(*place.table->columns()[begin + c], place.row);
        }
      }
      keys.emplace(key, std::move(before));
    }
  }
}

// Rows that are not at their place with their rank any more.
void TopOperator::Withdraw(const Before& before, const std::vector<Place>& places,
                           const std::vector<int64_t>& ranks, Leaving* leaving) const {
  for (uint32_t i = 0; i < before.seqs.size(); ++i) {
    const bool stays =
        i < places.size() && places[i].seq() == before.seqs[i] && ranks[i] == before.ranks[i];
    if (stays) continue;
    for (size_t c = 0; c < leaving->fields.size(); ++c) {
      leaving->fields[c]->AppendFrom(*before.fields[c], i);
    }
    leaving->ranks.push_back(before.ranks[i]);
    leaving->places.push_back(i + 1);
    leaving->deleted->AppendBool(true);
  }
}

Status TopOperator::EmitWindow(int64_t start, bool changed_only, TaskRun* run,
                               std::vector<RecordBatch>* out) {
  const size_t begin = plan_->order.fields_begin();
  Leaving leaving{.fields = NewFields(), .ranks = {}, .places = {}};
  const auto window = before_.find(start);
  for (const std::string_view key : KeysOf(start, changed_only)) {
    const std::vector<Place> places = Rank(start, key);
    const std::vector<int64_t> ranks = RanksOf(places);
    if (window != before_.end()) {
      const auto before = window->second.find(key);
      if (before != window->second.end()) Withdraw(before->second, places, ranks, &leaving);
    }
    for (size_t i = 0; i < places.size(); ++i) {
      for (size_t c = 0; c < leaving.fields.size(); ++c) {
        leaving.fields[c]->AppendFrom(*places[i].table->columns()[begin + c], places[i].row);
      }
      leaving.ranks.push_back(ranks[i]);
      leaving.places.push_back(static_cast<int64_t>(i) + 1);
      leaving.deleted->AppendBool(false);
    }
  }
  const size_t rows = leaving.ranks.size();
  if (rows == 0) return OkStatus();
  std::vector<ColumnRef> columns(leaving.fields.begin(), leaving.fields.end());
  std::vector<int64_t> ends;
  if (plan_->window.timed()) {
    ends.assign(rows, start + plan_->window.grid.length());
    columns.push_back(TimestampColumn(std::vector<int64_t>(rows, start)));
    columns.push_back(TimestampColumn(ends));
  }
  columns.push_back(IntColumn(leaving.ranks));
  AppendHiddenColumns(plan_->window, ends, rows, *run, &columns);
  if (plan_->window.updating()) {
    columns.push_back(IntColumn(leaving.places));
    columns.push_back(leaving.deleted);
  }
  out->emplace_back(plan_->output_schema, std::move(columns), rows);
  return OkStatus();
}

}  // namespace millrace::worker
