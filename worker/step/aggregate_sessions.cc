#include "worker/step/aggregate_sessions.h"

#include <algorithm>
#include <limits>

#include "worker/step/aggregate_state.h"
#include "worker/step/aggregate_writer.h"

namespace millrace::worker {
namespace {

constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();
constexpr uint8_t kReplacedKeys = 1, kSessions = 2;

SchemaRef SessionSchema(const AggregateLayout& layout) {
  return MakeSchema(
      {{"start", Type(Kind::kInt)}, {"last", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}},
      layout.partial_fields);
}
SchemaRef KeySchema() {
  static const SchemaRef schema = MakeSchema({{"key", Type(Kind::kBytes)}});
  return schema;
}

// Sessions of key rows as rows of SessionSchema.
RecordBatch SessionRows(const SessionTable& table, std::span<const uint32_t> key_rows,
                        const AggregateLayout& layout) {
  std::vector<int64_t> starts, lasts;
  std::vector<std::string_view> keys;
  std::vector<uint32_t> rows;
  for (const uint32_t key_row : key_rows) {
    for (const SessionTable::Session& session : table.of(key_row)) {
      starts.push_back(session.start);
      lasts.push_back(session.last);
      keys.push_back(table.keys().key(key_row));
      rows.push_back(session.row);
    }
  }
  if (rows.empty()) return {};
  std::vector<ColumnRef> columns{IntColumn(starts), IntColumn(lasts), BytesColumn(keys)};
  for (ColumnRef& partial : table.values().Partials(rows)) columns.push_back(std::move(partial));
  return {SessionSchema(layout), std::move(columns), rows.size()};
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
  const RecordBatch rows = SessionRows(table_, key_rows, plan_->layout);
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
  for (const auto& session : table_.of(key_row))
    timers_.emplace(session.last, key_row, session.start);
}

void SessionOperator::Unschedule(uint32_t key_row) {
  for (const auto& session : table_.of(key_row))
    timers_.erase({session.last, key_row, session.start});
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
  const std::vector<uint32_t> key_rows = table_.KeyRows(batch.column(2).strings);
  for (const uint32_t key_row : key_rows) {
    if (!before_.try_emplace(key_row, table_.of(key_row)).second) continue;
    Unschedule(key_row);
    unsaved_.Add(key_row);
  }
  const Status status = table_.Merge(key_rows, batch.column(0).ints, batch.column(1).ints,
                                     std::span(batch.columns()).subspan(3));
  return status.ok() ? status : plan_->KeyError(status, table_.failed_key());
}

// Lets sessions leave whose gap is over before `bound`, in order of end and key.
Status SessionOperator::Fire(int64_t bound, TaskRun* run, std::vector<RecordBatch>* out) {
  struct Due {
    int64_t last;
    int64_t start;
    uint32_t key_row;
    uint32_t row;
  };
  std::vector<Due> due;
  if (bound <= kBeginning / 2) return OkStatus();
  while (!timers_.empty() && std::get<0>(*timers_.begin()) < bound - plan_->window.gap) {
    const auto [last, key_row, start] = *timers_.begin();
    for (const auto& session : table_.of(key_row)) {
      if (session.start == start && session.last == last)
        due.push_back({last, start, key_row, session.row});
    }
    timers_.erase(timers_.begin());
  }
  std::sort(due.begin(), due.end(), [this](const Due& a, const Due& b) {
    if (a.last != b.last) return a.last < b.last;
    const int order = table_.keys().key(a.key_row).compare(table_.keys().key(b.key_row));
    return order != 0 ? order < 0 : a.start < b.start;
  });
  OutputRows rows;
  for (const Due& session : due) {
    rows.keys.push_back(table_.keys().key(session.key_row));
    rows.rows.push_back(session.row);
    rows.starts.push_back(session.start);
    rows.ends.push_back(session.last + plan_->window.gap);
  }
  if (!plan_->window.updating()) {
    RETURN_IF_ERROR(EmitRows(*plan_, rows, table_.values(), run, out));
  }
  for (const Due& session : due) {
    unsaved_.Add(session.key_row);
    if (table_.of(session.key_row).size() == 1) {
      dropped_keys_.emplace_back(table_.keys().key(session.key_row));
    }
    table_.Erase(session.key_row, session.start, session.last);
  }
  return OkStatus();
}

// Changed (or all) sessions by start and key; those that were absorbed into an earlier one leave as
// deleted.
Status SessionOperator::EmitUpdates(TaskRun* run, std::vector<RecordBatch>* out) {
  struct Update {
    SessionTable::Session session;
    std::string_view key;
    bool deleted;
  };
  std::vector<Update> updates;
  const auto same_start = [](const auto& sessions, int64_t start) {
    return std::find_if(sessions.begin(), sessions.end(),
                        [start](const auto& s) { return s.start == start; });
  };
  for (const auto& [key_row, old] : before_) {
    for (const SessionTable::Session& session : old) {
      const auto& now = table_.of(key_row);
      if (same_start(now, session.start) != now.end()) continue;
      updates.push_back(
          {{session.start, session.last, table_.empty_row()}, table_.keys().key(key_row), true});
    }
  }
  const bool all = plan_->window.emit == api::Emit::kAll;
  std::vector<uint32_t> key_rows;
  for (const auto& [key_row, old] : before_) key_rows.push_back(key_row);
  if (all) key_rows = KeyRows();
  for (const uint32_t key_row : key_rows) {
    for (const SessionTable::Session& session : table_.of(key_row)) {
      if (!all && !table_.changed().Has(session.row)) continue;
      updates.push_back({session, table_.keys().key(key_row), false});
    }
  }
  std::sort(updates.begin(), updates.end(), [](const Update& a, const Update& b) {
    if (a.session.start != b.session.start) return a.session.start < b.session.start;
    return a.key != b.key ? a.key < b.key : a.session.last < b.session.last;
  });
  OutputRows rows;
  for (const Update& update : updates) {
    rows.keys.push_back(update.key);
    rows.rows.push_back(update.session.row);
    rows.starts.push_back(update.session.start);
    rows.ends.push_back(update.session.last + plan_->window.gap);
    rows.deleted.push_back(update.deleted ? 1 : 0);
  }
  return EmitRows(*plan_, rows, table_.values(), run, out);
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

void SessionOperator::EncodeSessions(std::span<const uint32_t> key_rows, std::string* out) const {
  AppendSection(kSessions, SessionRows(table_, key_rows, plan_->layout), out);
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
  EncodeSessions(key_rows, out);
}

void SessionOperator::EncodeSnapshot(std::string* out) const { EncodeSessions(KeyRows(), out); }

Status SessionOperator::Apply(std::string_view blob) {
  ASSIGN_OR_RETURN(const std::vector<StateSection> sections,
                   ReadSections(blob, {nullptr, KeySchema(), SessionSchema(plan_->layout)}));
  for (const auto& [tag, rows] : sections) {
    for (size_t i = 0; i < rows.num_rows(); ++i) {
      if (tag == kReplacedKeys) {
        const std::string_view key = rows.column(0).strings[i];
        const uint32_t key_row = table_.keys().Find(key, HashKey(key));
        if (key_row == KeyTable::kNone) continue;
        Unschedule(key_row);
        table_.EraseKey(key_row);
        continue;
      }
      const int64_t start = rows.column(0).ints[i], last = rows.column(1).ints[i];
      const std::string_view key = rows.column(2).strings[i];
      RETURN_IF_ERROR(table_.Restore(key, start, last, std::span(rows.columns()).subspan(3), i)
                          .WithContext(plan_->origin));
      timers_.emplace(last, table_.keys().Find(key, HashKey(key)), start);
    }
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
