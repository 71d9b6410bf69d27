#include "worker/step/state_operator.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "worker/step/column_tools.h"
#include "worker/step/state_rows.h"

namespace millrace::worker {
namespace {

constexpr int64_t kDueBucketsPerIdle = 64;
constexpr int64_t kDueBucketMicros = 1'000'000;

bool IsIdentity(const std::vector<uint32_t>& rows, size_t size) {
  return rows.size() == size && (rows.empty() || rows.back() + 1 == size);
}

}  // namespace

StateOperator::StateOperator(const StatePlan& plan)
    : plan_(plan),
      state_(plan.init, plan.idle ? *plan.idle / kDueBucketsPerIdle : kDueBucketMicros),
      encoded_(plan.key.columns) {}

Status StateOperator::Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                          std::vector<RecordBatch>* out) {
  RETURN_IF_ERROR(LoadInitial(run));
  if (!arrived[0].empty()) RETURN_IF_ERROR(RunRecords(Merge(arrived[0]), run, out));
  RETURN_IF_ERROR(RunTimeouts(run, out));
  ForgetAbsent();
  state_.Tidy();
  return OkStatus();
}

bool StateOperator::HasWork(const BatchContext& context) const {
  if (!plan_.initial.empty() && !state_.initialized()) return true;
  return plan_.has_timeout() && state_.next_due() <= plan_.time.Now(context);
}

Status StateOperator::LoadInitial(TaskRun* run) {
  if (plan_.initial.empty() || state_.initialized()) return OkStatus();
  const auto table = run->tables->find(plan_.initial);
  if (table == run->tables->end() || table->second == nullptr) {
    return InternalError(plan_.origin + ": the plan names no version of table \"" + plan_.initial +
                         "\"");
  }
  const InitialRows::Rows initial = plan_.initial_rows->Of(*table->second, plan_.key, run->unit);
  state_.SetInitialized();
  if (initial.rows.empty()) return OkStatus();
  const RecordBatch& rows = table->second->rows();
  std::vector<ColumnRef> columns;
  for (const Field& field : plan_.state->fields()) {
    const ColumnRef column = Gather(rows.column(rows.schema().Find(field.name)), initial.rows);
    columns.push_back(WithType(column, field.type));
  }
  const RecordBatch states(plan_.state, std::move(columns), initial.rows.size());
  Rows keys;
  for (const std::string& key : initial.keys) {
    bool inserted = false;
    keys.push_back(state_.keys().FindOrInsert(key, HashKey(key), &inserted));
  }
  state_.Grow();
  state_.Write(keys, states);
  Passage passage;
  const int64_t now = plan_.time.Now(*run->context);
  const bool known = now != kBeginningOfTime && now != kEndOfTime;
  const int64_t loaded = known ? now : run->context->batch_time.time_since_epoch().count();
  passage.times.assign(keys.size(), loaded);
  Rows all(keys.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<BadRecord> errors;
  const std::vector<int64_t> dues = Dues(all, keys, states, passage, run, &errors);
  if (!errors.empty()) return InvalidError(plan_.origin + ": " + errors.front().message);
  for (size_t i = 0; i < dues.size(); ++i) state_.SetDue(keys[i], dues[i]);
  return OkStatus();
}

Status StateOperator::RunRecords(const RecordBatch& records, TaskRun* run,
                                 std::vector<RecordBatch>* out) {
  Passage passage;
  passage.records = records;
  if (plan_.idle) passage.times = plan_.time.TimesOf(records, *run->context);
  std::vector<ColumnRef> columns;
  for (const int i : plan_.record_columns) columns.push_back(records.column_ref(i));
  passage.narrow = RecordBatch(plan_.record, std::move(columns), records.num_rows());
  Rows order;
  RETURN_IF_ERROR(Order(passage.narrow, run, &passage.errors, &order));
  encoded_.Encode(records);
  state_.keys().FindOrInsert(encoded_.keys(), encoded_.hashes(), &key_rows_);
  state_.Grow();
  is_touched_.resize(state_.keys().row_limit());
  for (const uint32_t key : key_rows_) {
    if (is_touched_[key] == 0) touched_.push_back(key);
    is_touched_[key] = 1;
  }
  for (const Rows& wave : CutWaves(order)) {
    RunWave(wave, run, &passage);
    if (plan_.on_error == api::ErrorPolicy::kFail && !passage.errors.empty()) break;
  }
  return FinishRecords(&passage, run, out);
}

// Records in the order in which each key sees its own.
Status StateOperator::Order(const RecordBatch& narrow, TaskRun* run, std::vector<BadRecord>* errors,
                            Rows* order) const {
  if (plan_.order == nullptr) {
    order->resize(narrow.num_rows());
    std::iota(order->begin(), order->end(), 0);
    return OkStatus();
  }
  const ColumnRef values = plan_.order->Evaluate(narrow, run->table_lists, errors);
  *order = WithoutErrors(narrow.num_rows(), *errors);
  std::stable_sort(order->begin(), order->end(),
                   [&](uint32_t a, uint32_t b) { return CompareRows(*values, a, *values, b) < 0; });
  return OkStatus();
}

// Wave k: the k-th record of every key, in order of arrival.
std::vector<StateOperator::Rows> StateOperator::CutWaves(const Rows& order) {
  std::vector<uint32_t> seen(state_.keys().row_limit());
  std::vector<Rows> waves;
  for (const uint32_t record : order) {
    const uint32_t wave = seen[key_rows_[record]]++;
    if (wave == waves.size()) waves.emplace_back();
    waves[wave].push_back(record);
  }
  if (plan_.order != nullptr) {
    for (Rows& wave : waves) std::sort(wave.begin(), wave.end());
  }
  return waves;
}

// Columns of `first`, then one struct per state batch.
RecordBatch StateOperator::Named(const SchemaRef& names, const RecordBatch& first,
                                 std::initializer_list<const RecordBatch*> states) const {
  const size_t size = (*states.begin())->num_rows();
  std::vector<ColumnRef> columns;
  columns.reserve(names->size());
  auto state = states.begin();
  for (const Field& field : names->fields()) {
    const bool is_state = field.name == kStateName || field.name == kOldName;
    columns.push_back(is_state ? StructOf(field.type, (*state++)->columns(), size)
                               : first.column_ref(first.schema().Find(field.name)));
  }
  return RecordBatch(names, std::move(columns), size);
}

RecordBatch StateOperator::Update(const RecordBatch& records, const RecordBatch& before,
                                  TaskRun* run, std::vector<BadRecord>* errors) const {
  std::vector<ColumnRef> results;
  plan_.update.Evaluate(Named(plan_.update_names, records, {&before}), *run, &results, errors);
  std::vector<ColumnRef> after = before.columns();
  for (size_t i = 0; i < results.size(); ++i) after[plan_.update_targets[i]] = results[i];
  return RecordBatch(plan_.state, std::move(after), before.num_rows());
}

StateOperator::Rows StateOperator::SelectRows(const ProgramRef& when, const RecordBatch& names,
                                              TaskRun* run, std::vector<BadRecord>* errors) const {
  Rows rows;
  if (when != nullptr) {
    when->Select(names, run->table_lists, &rows, errors);
    return rows;
  }
  rows.resize(names.num_rows());
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// Rows are judged as a whole: a record whose update or output fails changes nothing and says
// nothing.
void StateOperator::RunWave(const Rows& wave, TaskRun* run, Passage* passage) {
  const RecordBatch records =
      IsIdentity(wave, passage->narrow.num_rows()) ? passage->narrow : passage->narrow.Gather(wave);
  const Rows keys = Pick(key_rows_, wave);
  const RecordBatch before = state_.Read(keys);
  std::vector<BadRecord> errors;
  const RecordBatch after = Update(records, before, run, &errors);
  const RecordBatch names = Named(plan_.output_names, records, {&after, &before});
  const Rows selected = SelectRows(plan_.output_when, names, run, &errors);
  RecordBatch result;
  Emit(wave, selected, names, run, passage, &errors, &result);
  Rows removed;
  if (plan_.remove_when != nullptr) {
    plan_.remove_when->Select(names, run->table_lists, &removed, &errors);
  }
  const std::vector<int64_t> dues = Dues(wave, keys, after, *passage, run, &errors);
  const Rows good = WithoutErrors(wave.size(), errors);
  for (BadRecord& error : errors) {
    passage->errors.push_back({wave[error.row], std::move(error.message)});
  }
  std::vector<uint8_t> is_good(wave.size());
  for (const uint32_t row : good) is_good[row] = 1;
  Rows said;
  for (uint32_t i = 0; i < selected.size(); ++i) {
    if (is_good[selected[i]] == 0) continue;
    said.push_back(i);
    passage->result_records.push_back(wave[selected[i]]);
  }
  if (!plan_.output.empty() && !said.empty()) {
    passage->results.push_back(said.size() == selected.size() ? result : result.Gather(said));
  }
  std::erase_if(removed, [&](uint32_t row) { return is_good[row] == 0; });
  Store(keys, good, after, dues, removed);
}

// Row i of `result` is the output of row selected[i] of the wave.
void StateOperator::Emit(const Rows& wave, const Rows& selected, const RecordBatch& names,
                         TaskRun* run, Passage* passage, std::vector<BadRecord>* errors,
                         RecordBatch* result) const {
  if (plan_.output.empty() || selected.empty()) return;
  const bool all = selected.size() == names.num_rows();
  std::vector<ColumnRef> columns;
  std::vector<BadRecord> failed;
  plan_.output.Evaluate(all ? names : names.Gather(selected), *run, &columns, &failed);
  for (BadRecord& error : failed) {
    errors->push_back({selected[error.row], std::move(error.message)});
  }
  const Schema& input = passage->records.schema();
  const Rows records = Pick(wave, selected);
  for (size_t i = columns.size(); i < plan_.schema->size(); ++i) {
    columns.push_back(
        Gather(passage->records.column(input.Find((*plan_.schema)[i].name)), records));
  }
  *result = RecordBatch(plan_.schema, std::move(columns), selected.size());
}

void StateOperator::Store(const Rows& keys, const Rows& good, const RecordBatch& after,
                          const std::vector<int64_t>& dues, const Rows& removed) {
  if (good.empty()) return;
  const bool all = good.size() == keys.size();
  state_.Write(all ? keys : Pick(keys, good), all ? after : after.Gather(good));
  if (!dues.empty()) {
    for (const uint32_t row : good) state_.SetDue(keys[row], dues[row]);
  }
  for (const uint32_t row : removed) state_.Clear(keys[row]);
}

Status StateOperator::FinishRecords(Passage* passage, TaskRun* run,
                                    std::vector<RecordBatch>* out) const {
  Rows keep;
  bool all = true;
  RETURN_IF_ERROR(HandleRowErrors(plan_.on_error, plan_.origin, passage->records,
                                  std::move(passage->errors), run, &keep, &all));
  const Rows& said = passage->result_records;
  if (said.empty()) return OkStatus();
  Rows order(said.size());
  std::iota(order.begin(), order.end(), 0);
  const bool sorted = std::is_sorted(said.begin(), said.end());
  if (!sorted) {
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return said[a] < said[b]; });
  }
  if (plan_.output.empty()) {
    const Rows records = Pick(said, order);
    out->push_back(IsIdentity(records, passage->records.num_rows())
                       ? passage->records
                       : passage->records.Gather(records));
    return OkStatus();
  }
  RecordBatch results = Merge(passage->results);
  out->push_back(sorted ? std::move(results) : results.Gather(order));
  return OkStatus();
}

// Keys whose every record failed or that were removed.
void StateOperator::ForgetAbsent() {
  for (const uint32_t key : touched_) {
    is_touched_[key] = 0;
    if (!state_.IsPresent(key)) state_.Forget(key);
  }
  touched_.clear();
}

}  // namespace millrace::worker
