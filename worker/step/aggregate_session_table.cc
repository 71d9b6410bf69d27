#include <algorithm>

#include "worker/step/aggregate_sessions.h"

namespace millrace::worker {

SessionTable::SessionTable(const AggregatePlan* plan) : plan_(plan), values_(&plan->layout) {
  values_.Resize(1);
}

const std::vector<uint32_t>& SessionTable::KeyRows(std::span<const std::string_view> keys) {
  hashes_.resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) hashes_[i] = HashKey(keys[i]);
  keys_.FindOrInsert(keys, hashes_, &found_);
  if (sessions_.size() < keys_.row_limit()) sessions_.resize(keys_.row_limit());
  return found_;
}

uint32_t SessionTable::NewRow() {
  if (!free_rows_.empty()) {
    const uint32_t row = free_rows_.back();
    free_rows_.pop_back();
    return row;
  }
  values_.Resize(next_row_ + 1);
  return next_row_++;
}

void SessionTable::FreeRow(uint32_t row) {
  values_.Reset({&row, 1});
  free_rows_.push_back(row);
}

bool SessionTable::Joins(const Session& session, int64_t start, int64_t last) const {
  const int64_t gap = plan_->window.gap;
  const int64_t length = std::max(session.last, last) - std::min(session.start, start);
  return session.start - last <= gap && start - session.last <= gap &&
         length <= plan_->window.max_length;
}

Result<uint32_t> SessionTable::Place(uint32_t key_row, int64_t start, int64_t last) {
  std::vector<Session>& sessions = sessions_[key_row];
  // Most records go on with the latest session.
  const auto newest = sessions.rbegin();
  if (newest != sessions.rend() && start >= newest->start && Joins(*newest, start, last)) {
    newest->last = std::max(newest->last, last);
    return newest->row;
  }
  Session joined{start, last, 0};
  for (auto it = sessions.begin(); it != sessions.end();) {
    if (!Joins(*it, joined.start, joined.last)) {
      ++it;
      continue;
    }
    joined.start = std::min(joined.start, it->start);
    joined.last = std::max(joined.last, it->last);
    if (joined.row == 0) {
      joined.row = it->row;
    } else {
      RETURN_IF_ERROR(MergePending());
      const std::vector<ColumnRef> partials = values_.Partials({&it->row, 1});
      RETURN_IF_ERROR(values_.Merge({&joined.row, 1}, partials));
      FreeRow(it->row);
    }
    it = sessions.erase(it);
  }
  if (joined.row == 0) joined.row = NewRow();
  const auto after = std::upper_bound(sessions.begin(), sessions.end(), joined.start,
                                      [](int64_t a, const Session& b) { return a < b.start; });
  sessions.insert(after, joined);
  return joined.row;
}

Status SessionTable::Merge(std::span<const uint32_t> key_rows, std::span<const int64_t> starts,
                           std::span<const int64_t> lasts, std::span<const ColumnRef> partials) {
  pending_ = partials;
  pending_begin_ = 0;
  pending_rows_.clear();
  for (size_t i = 0; i < key_rows.size(); ++i) {
    ASSIGN_OR_RETURN(const uint32_t row, Place(key_rows[i], starts[i], lasts[i]));
    pending_rows_.push_back(row);
    changed_.Add(row);
  }
  return MergePending();
}

// Merges what has found its row. Called before rows change hands.
Status SessionTable::MergePending() {
  const Status status = values_.Merge(pending_rows_, pending_, pending_begin_);
  if (!status.ok()) FindFailedKey();
  pending_begin_ += pending_rows_.size();
  pending_rows_.clear();
  return status;
}

void SessionTable::FindFailedKey() {
  for (uint32_t key_row = 0; key_row < sessions_.size(); ++key_row) {
    for (const Session& session : sessions_[key_row]) {
      if (session.row == values_.failed_row()) failed_key_ = key_row;
    }
  }
}

// Every record is folded into an accumulator of its own first, so that joining sessions keeps the
// order of records.
Status SessionTable::Update(std::span<const uint32_t> key_rows, std::span<const int64_t> times,
                            const EvaluatedRows& rows) {
  std::vector<uint32_t> identity(key_rows.size());
  for (uint32_t i = 0; i < identity.size(); ++i) identity[i] = i;
  AggregateSet records(&plan_->layout);
  records.Resize(identity.size());
  const Status status = UpdateCalls(*plan_, rows, identity, &records);
  if (!status.ok()) {
    failed_key_ = key_rows[records.failed_row()];
    return status;
  }
  return Merge(key_rows, times, times, records.Partials(identity));
}

void SessionTable::Erase(uint32_t key_row, int64_t start, int64_t last) {
  std::vector<Session>& sessions = sessions_[key_row];
  const auto it = std::find_if(sessions.begin(), sessions.end(), [&](const Session& session) {
    return session.start == start && session.last == last;
  });
  FreeRow(it->row);
  sessions.erase(it);
  if (sessions.empty()) keys_.Erase(key_row);
}

void SessionTable::EraseKey(uint32_t key_row) {
  for (const Session& session : sessions_[key_row]) FreeRow(session.row);
  sessions_[key_row].clear();
  keys_.Erase(key_row);
}

Status SessionTable::Restore(std::string_view key, int64_t start, int64_t last,
                             std::span<const ColumnRef> partials, size_t i) {
  const uint32_t key_row = KeyRows({&key, 1})[0];
  const uint32_t row = NewRow();
  sessions_[key_row].push_back({start, last, row});
  return values_.Merge({&row, 1}, partials, i);
}

}  // namespace millrace::worker
