#include "worker/step/aggregate_sessions.h"

#include <algorithm>
#include <limits>

#include "worker/step/aggregate_state.h"
#include "worker/step/aggregate_writer.h"

namespace millrace::worker {
namespace {

constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();
constexpr uint8_t kReplacedKeys = 1, kPieces = 2;

constexpr size_t kValues = 4;  // first column of partial results

SchemaRef PieceSchema(const AggregateLayout& layout) {
  return MakeSchema({{"start", Type(Kind::kInt)},
                     {"last", Type(Kind::kInt)},
                     {"cut", Type(Kind::kBool)},
                     {"key", Type(Kind::kBytes)}},
                    layout.partial_fields);
}
SchemaRef KeySchema() {
  static const SchemaRef schema = MakeSchema({{"key", Type(Kind::kBytes)}});
  return schema;
}

// Pieces of key rows as rows of PieceSchema.
RecordBatch PieceRows(const SessionTable& table, std::span<const uint32_t> key_rows,
                      const AggregateLayout& layout) {
  std::vector<int64_t> starts, lasts;
  std::vector<std::string_view> keys;
  std::vector<uint32_t> rows;
  auto cuts = std::make_shared<Column>(Type(Kind::kBool));
  for (const uint32_t key_row : key_rows) {
    for (const SessionTable::Piece& piece : table.of(key_row)) {
      starts.push_back(piece.start);
      lasts.push_back(piece.last);
      cuts->AppendBool(piece.cut);
      keys.push_back(table.keys().key(key_row));
      rows.push_back(piece.row);
    }
  }
  if (rows.empty()) return {};
  std::vector<ColumnRef> columns{IntColumn(starts), IntColumn(lasts), cuts, BytesColumn(keys)};
  for (ColumnRef& partial : table.values().Partials(rows)) columns.push_back(std::move(partial));
  return {PieceSchema(layout), std::move(columns), rows.size()};
}

}  // namespace

// ---- SessionWriter ----

Status SessionWriter::Add(const RecordBatch& batch, TaskRun* run) {
  const RecordBatch in_time = DropLate(plan_->window, plan_->origin, batch, run);
  EvaluatedRows rows;
  RETURN_IF_ERROR(EvaluateCalls(*plan_, in_time, run, &rows));
  const size_t count = rows.batch.num_rows();
  if (count == 0) return OkStatus();
  const WindowPlan& window = plan_->window;
  const std::vector<int64_t> times =
      window.event_time
          ? EventTimes(rows.batch, window.time_column)
          : std::vector<int64_t>(count, ProcessingTime(*run->context).time_since_epoch().count());
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder(plan_->key_columns).Encode(rows.batch, &arena, &keys);
  const Status status = table_.Update(table_.KeyRows(keys), times, rows);
  return status.ok() ? status : plan_->KeyError(status, table_.failed_key());
}

Status SessionWriter::Finish(TaskRun*, const SendFn& send) {
  std::vector<uint32_t> key_rows(table_.keys().row_limit());
  for (uint32_t i = 0; i < key_rows.size(); ++i) key_rows[i] = i;
  const RecordBatch rows = PieceRows(table_, key_rows, plan_->layout);
  if (rows.num_rows() == 0) return OkStatus();
  std::vector<int> units;
  for (const uint32_t row : key_rows) {
    units.insert(units.end(), table_.of(row).size(),
                 KeyGroupOf(table_.keys().hash(row), plan_->units));
  }
  SendByUnit(rows, units, plan_->units, send);
  return OkStatus();
}

// ---- SessionOperator ----

void SessionOperator::Schedule(uint32_t key_row) {
  for (const auto& session : table_.SessionsOf(key_row))
    timers_.emplace(session.last, key_row, session.start);
}

void SessionOperator::Unschedule(uint32_t key_row,
                                 std::span<const SessionTable::Session> sessions) {
  for (const auto& session : sessions) timers_.erase({session.last, key_row, session.start});
}

Status SessionOperator::Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                            std::vector<RecordBatch>* out) {
  const WindowPlan& window = plan_->window;
  const int64_t now = window.Now(*run->context);
  RETURN_IF_ERROR(Fire(std::min(window.LateBefore(*run->context), now), run, out));
  before_.clear();
  table_.changed().Clear();
  for (const std::vector<RecordBatch>& batches : arrived) {
    for (const RecordBatch& batch : batches) RETURN_IF_ERROR(MergeArrived(batch));
  }
  for (const auto& [key_row, sessions] : before_) Schedule(key_row);
  if (window.updating()) RETURN_IF_ERROR(EmitUpdates(run, out));
  return Fire(now, run, out);
}

Status SessionOperator::MergeArrived(const RecordBatch& batch) {
  const std::vector<uint32_t> key_rows = table_.KeyRows(batch.column(3).strings);
  for (const uint32_t key_row : key_rows) {
    const auto [before, first] = before_.try_emplace(key_row);
    if (!first) continue;
    before->second = table_.SessionsOf(key_row);
    Unschedule(key_row, before->second);
    unsaved_.Add(key_row);
  }
  const Status status =
      table_.Merge(key_rows, {batch.column(0).ints, batch.column(1).ints, batch.column(2).bools},
                   std::span(batch.columns()).subspan(kValues));
  return status.ok() ? status : plan_->KeyError(status, table_.failed_key());
}

// Sessions in one piece leave from their own rows; the others are put together first.
Status SessionOperator::EmitSessions(const std::vector<Leaving>& sessions, TaskRun* run,
                                     std::vector<RecordBatch>* out) {
  OutputRows rows;
  std::vector<uint32_t> pieces, targets;
  bool whole = true;
  for (uint32_t i = 0; i < sessions.size(); ++i) {
    const auto& [key_row, session, deleted] = sessions[i];
    rows.keys.push_back(table_.keys().key(key_row));
    rows.starts.push_back(session.start);
    rows.ends.push_back(session.last + plan_->window.gap);
    if (plan_->window.updating()) rows.deleted.push_back(deleted ? 1 : 0);
    if (deleted) {
      rows.rows.push_back(table_.empty_row());
      continue;
    }
    rows.rows.push_back(table_.of(key_row)[session.begin].row);
    whole = whole && session.end == session.begin + 1;
    for (size_t p = session.begin; p < session.end; ++p) {
      pieces.push_back(table_.of(key_row)[p].row);
      targets.push_back(i);
    }
  }
  if (whole) return EmitRows(*plan_, rows, table_.values(), run, out);
  AggregateSet values(&plan_->layout);
  values.Resize(sessions.size());
  const Status status = values.Merge(targets, table_.values().Partials(pieces));
  if (!status.ok()) return plan_->KeyError(status, rows.keys[values.failed_row()]);
  for (uint32_t i = 0; i < sessions.size(); ++i) rows.rows[i] = i;
  return EmitRows(*plan_, rows, values, run, out);
}

// Lets sessions leave whose gap is over before `bound`, in order of end and key.
Status SessionOperator::Fire(int64_t bound, TaskRun* run, std::vector<RecordBatch>* out) {
  std::vector<Leaving> due;
  if (bound <= kBeginning / 2) return OkStatus();
  while (!timers_.empty() && std::get<0>(*timers_.begin()) < bound - plan_->window.gap) {
    const auto [last, key_row, start] = *timers_.begin();
    for (const auto& session : table_.SessionsOf(key_row)) {
      if (session.start == start && session.last == last) due.push_back({key_row, session});
    }
    timers_.erase(timers_.begin());
  }
  std::sort(due.begin(), due.end(), [this](const Leaving& a, const Leaving& b) {
    if (a.session.last != b.session.last) return a.session.last < b.session.last;
    const int order = table_.keys().key(a.key_row).compare(table_.keys().key(b.key_row));
    return order != 0 ? order < 0 : a.session.start < b.session.start;
  });
  if (!plan_->window.updating()) RETURN_IF_ERROR(EmitSessions(due, run, out));
  for (const auto& [key_row, session, deleted] : due) {
    unsaved_.Add(key_row);
    if (table_.of(key_row).size() == session.end - session.begin) {
      dropped_keys_.emplace_back(table_.keys().key(key_row));
    }
    table_.Erase(key_row, session);
  }
  return OkStatus();
}

bool SessionOperator::Changed(uint32_t key_row, const SessionTable::Session& session) {
  for (size_t p = session.begin; p < session.end; ++p) {
    if (table_.changed().Has(table_.of(key_row)[p].row)) return true;
  }
  const auto before = before_.find(key_row);
  return before != before_.end() &&
         std::find(before->second.begin(), before->second.end(), session) == before->second.end();
}

// Changed (or all) sessions by start and key; those that are part of an earlier one now leave as
// deleted.
Status SessionOperator::EmitUpdates(TaskRun* run, std::vector<RecordBatch>* out) {
  std::vector<Leaving> updates;
  for (const auto& [key_row, old] : before_) {
    const std::vector<SessionTable::Session> now = table_.SessionsOf(key_row);
    for (const SessionTable::Session& session : old) {
      const bool there = std::any_of(
          now.begin(), now.end(), [&](const auto& other) { return other.start == session.start; });
      if (!there) updates.push_back({key_row, session, true});
    }
  }
  const bool all = plan_->window.emit == api::Emit::kAll;
  std::vector<uint32_t> key_rows;
  for (const auto& [key_row, old] : before_) key_rows.push_back(key_row);
  if (all) key_rows = KeyRows();
  for (const uint32_t key_row : key_rows) {
    for (const SessionTable::Session& session : table_.SessionsOf(key_row)) {
      if (all || Changed(key_row, session)) updates.push_back({key_row, session});
    }
  }
  std::sort(updates.begin(), updates.end(), [this](const Leaving& a, const Leaving& b) {
    if (a.session.start != b.session.start) return a.session.start < b.session.start;
    const int order = table_.keys().key(a.key_row).compare(table_.keys().key(b.key_row));
    return order != 0 ? order < 0 : a.session.last < b.session.last;
  });
  return EmitSessions(updates, run, out);
}

bool SessionOperator::HasWork(const BatchContext& context) const {
  if (timers_.empty()) return false;
  if (plan_->window.emit == api::Emit::kAll) return true;
  const int64_t now = plan_->window.Now(context);
  return now > kBeginning / 2 && std::get<0>(*timers_.begin()) < now - plan_->window.gap;
}

std::vector<uint32_t> SessionOperator::KeyRows() const {
  std::vector<uint32_t> rows;
  for (uint32_t row = 0; row < table_.keys().row_limit(); ++row) {
    if (table_.keys().IsLive(row)) rows.push_back(row);
  }
  return rows;
}

void SessionOperator::EncodePieces(std::span<const uint32_t> key_rows, std::string* out) const {
  AppendSection(kPieces, PieceRows(table_, key_rows, plan_->layout), out);
}

void SessionOperator::EncodeDelta(std::string* out) const {
  std::vector<std::string_view> replaced(dropped_keys_.begin(), dropped_keys_.end());
  std::vector<uint32_t> key_rows;
  for (const uint32_t key_row : unsaved_.rows()) {
    if (!table_.keys().IsLive(key_row)) continue;
    key_rows.push_back(key_row);
    replaced.push_back(table_.keys().key(key_row));
  }
  if (replaced.empty()) return;
  AppendSection(kReplacedKeys, RecordBatch(KeySchema(), {BytesColumn(replaced)}, replaced.size()),
                out);
  EncodePieces(key_rows, out);
}

void SessionOperator::EncodeSnapshot(std::string* out) const { EncodePieces(KeyRows(), out); }

Status SessionOperator::Apply(std::string_view blob) {
  ASSIGN_OR_RETURN(const std::vector<StateSection> sections,
                   ReadSections(blob, {nullptr, KeySchema(), PieceSchema(plan_->layout)}));
  for (const auto& [tag, rows] : sections) {
    const std::span<const std::string_view> keys(rows.column(tag == kReplacedKeys ? 0 : 3).strings);
    for (size_t i = 0; i < rows.num_rows() && tag == kReplacedKeys; ++i) {
      const uint32_t key_row = table_.keys().Find(keys[i], HashKey(keys[i]));
      if (key_row == KeyTable::kNone) continue;
      Unschedule(key_row, table_.SessionsOf(key_row));
      table_.EraseKey(key_row);
    }
    if (tag == kReplacedKeys) continue;
    for (size_t i = 0; i < rows.num_rows(); ++i) {
      RETURN_IF_ERROR(table_
                          .Restore(keys[i], rows.column(0).ints[i], rows.column(1).ints[i],
                                   rows.column(2).bools[i] != 0,
                                   std::span(rows.columns()).subspan(kValues), i)
                          .WithContext(plan_->origin));
    }
    for (const uint32_t key_row : std::vector<uint32_t>(table_.KeyRows(keys))) Schedule(key_row);
  }
  return OkStatus();
}

void SessionOperator::Settle() {
  unsaved_.Clear();
  dropped_keys_.clear();
}

int64_t SessionOperator::bytes() const {
  return static_cast<int64_t>(table_.keys().ByteSize() + table_.values().ByteSize());
}

}  // namespace millrace::worker
