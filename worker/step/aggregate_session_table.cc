#include <algorithm>

#include "worker/step/aggregate_sessions.h"
#include "worker/window/slice_grid.h"

namespace millrace::worker {

SessionTable::SessionTable(const AggregatePlan* plan) : plan_(plan), values_(&plan->layout) {
  values_.Resize(1);
}

const std::vector<uint32_t>& SessionTable::KeyRows(std::span<const std::string_view> keys) {
  hashes_.resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) hashes_[i] = HashKey(keys[i]);
  keys_.FindOrInsert(keys, hashes_, &found_);
  if (pieces_.size() < keys_.row_limit()) pieces_.resize(keys_.row_limit());
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

bool SessionTable::Near(int64_t start, int64_t last, const Piece& piece) const {
  const int64_t gap = plan_->window.gap;
  return piece.start - last <= gap && start - piece.last <= gap;
}

Result<uint32_t> SessionTable::Place(uint32_t key_row, int64_t start, int64_t last, bool cut) {
  std::vector<Piece>& pieces = pieces_[key_row];
  const int64_t length = plan_->window.max_length;
  // Most records go on with the latest session.
  const auto newest = pieces.rbegin();
  if (newest != pieces.rend() && start >= newest->start && start - newest->cell < length &&
      Near(start, last, *newest)) {
    newest->last = std::max(newest->last, last);
    newest->cut |= cut;
    return newest->row;
  }
  Piece joined{start, last, 0, cut, FloorTo(start, length, 0)};
  for (auto it = pieces.begin(); it != pieces.end();) {
    if (it->cell != joined.cell || !Near(joined.start, joined.last, *it)) {
      ++it;
      continue;
    }
    joined.start = std::min(joined.start, it->start);
    joined.last = std::max(joined.last, it->last);
    joined.cut |= it->cut;
    if (joined.row == 0) {
      joined.row = it->row;
    } else {
      RETURN_IF_ERROR(MergePending());
      const std::vector<ColumnRef> partials = values_.Partials({&it->row, 1});
      RETURN_IF_ERROR(values_.Merge({&joined.row, 1}, partials));
      FreeRow(it->row);
    }
    it = pieces.erase(it);
  }
  if (joined.row == 0) joined.row = NewRow();
  const auto after = std::upper_bound(pieces.begin(), pieces.end(), joined.start,
                                      [](int64_t a, const Piece& b) { return a < b.start; });
  pieces.insert(after, joined);
  return joined.row;
}

std::vector<SessionTable::Session> SessionTable::SessionsOf(uint32_t key_row) {
  std::vector<Piece>& pieces = pieces_[key_row];
  std::vector<Session> sessions;
  for (size_t begin = 0; begin < pieces.size();) {
    size_t end = begin + 1;
    bool cut = pieces[begin].cut;
    while (end < pieces.size() && Near(pieces[end].start, pieces[end].last, pieces[end - 1])) {
      cut |= pieces[end++].cut;
    }
    cut |= pieces[end - 1].last - pieces[begin].start > plan_->window.max_length;
    if (!cut) sessions.push_back({pieces[begin].start, pieces[end - 1].last, begin, end});
    for (size_t i = begin; i < end && cut; ++i) {
      pieces[i].cut = true;
      sessions.push_back({pieces[i].start, pieces[i].last, i, i + 1});
    }
    begin = end;
  }
  return sessions;
}

Status SessionTable::Merge(std::span<const uint32_t> key_rows, const Spans& spans,
                           std::span<const ColumnRef> partials) {
  pending_ = partials;
  pending_begin_ = 0;
  pending_rows_.clear();
  for (size_t i = 0; i < key_rows.size(); ++i) {
    const bool cut = !spans.cuts.empty() && spans.cuts[i] != 0;
    ASSIGN_OR_RETURN(const uint32_t row, Place(key_rows[i], spans.starts[i], spans.lasts[i], cut));
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
  for (uint32_t key_row = 0; key_row < pieces_.size(); ++key_row) {
    for (const Piece& piece : pieces_[key_row]) {
      if (piece.row == values_.failed_row()) failed_key_ = key_row;
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
  return Merge(key_rows, {times, times, {}}, records.Partials(identity));
}

void SessionTable::Erase(uint32_t key_row, const Session& session) {
  std::vector<Piece>& pieces = pieces_[key_row];
  const auto at = std::find_if(pieces.begin(), pieces.end(),
                               [&](const Piece& piece) { return piece.start == session.start; });
  const auto end = at + static_cast<std::ptrdiff_t>(session.end - session.begin);
  for (auto it = at; it != end; ++it) FreeRow(it->row);
  pieces.erase(at, end);
  if (pieces.empty()) keys_.Erase(key_row);
}

void SessionTable::EraseKey(uint32_t key_row) {
  for (const Piece& piece : pieces_[key_row]) FreeRow(piece.row);
  pieces_[key_row].clear();
  keys_.Erase(key_row);
}

Status SessionTable::Restore(std::string_view key, int64_t start, int64_t last, bool cut,
                             std::span<const ColumnRef> partials, size_t i) {
  const uint32_t key_row = KeyRows({&key, 1})[0];
  const uint32_t row = NewRow();
  pieces_[key_row].push_back({start, last, row, cut, FloorTo(start, plan_->window.max_length, 0)});
  return values_.Merge({&row, 1}, partials, i);
}

}  // namespace millrace::worker
