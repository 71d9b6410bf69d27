#include <algorithm>

#include "worker/step/column_tools.h"
#include "worker/step/state_operator.h"
#include "worker/step/state_rows.h"

// When the keys of a `state` step fall due, and what they say then.
namespace millrace::worker {

std::vector<int64_t> StateOperator::Dues(const Rows& wave, const Rows& keys,
                                         const RecordBatch& after, const Passage& passage,
                                         TaskRun* run, std::vector<BadRecord>* errors) const {
  std::vector<int64_t> dues;
  if (!plan_.has_timeout()) return dues;
  dues.assign(wave.size(), kEndOfTime);
  if (plan_.idle) {
    for (size_t i = 0; i < wave.size(); ++i) {
      // One microsecond more: a key is idle when more than the span has passed.
      const int64_t due = AddTime(AddTime(passage.times[wave[i]], *plan_.idle), 1);
      const int64_t earlier = state_.due(keys[i]);
      dues[i] = earlier == kEndOfTime ? due : std::max(due, earlier);
    }
    return dues;
  }
  const RecordBatch names = Named(plan_.state_names, after, {&after});
  const ColumnRef at = plan_.timeout_at->Evaluate(names, run->table_lists, errors);
  for (size_t i = 0; i < wave.size(); ++i) {
    if (!at->IsNull(i)) dues[i] = at->ints[i];
  }
  return dues;
}

Status StateOperator::RunTimeouts(TaskRun* run, std::vector<RecordBatch>* out) {
  if (!plan_.has_timeout()) return OkStatus();
  Rows due = state_.TakeDue(plan_.time.Now(*run->context));
  Rows fired;
  for (const uint32_t key : due) {
    const bool touched = key < is_touched_.size() && is_touched_[key] != 0;
    if (touched && !run->context->final) {
      state_.SetDue(key, state_.due(key));
    } else {
      fired.push_back(key);
    }
  }
  if (fired.empty()) return OkStatus();
  const KeyTable& keys = state_.keys();
  std::sort(fired.begin(), fired.end(),
            [&](uint32_t a, uint32_t b) { return keys.key(a) < keys.key(b); });
  if (plan_.has_on_timeout) RETURN_IF_ERROR(EmitTimeouts(fired, run, out));
  for (const uint32_t key : fired) {
    state_.Clear(key);
    const bool touched = key < is_touched_.size() && is_touched_[key] != 0;
    if (!touched) state_.Forget(key);
  }
  return OkStatus();
}

Status StateOperator::EmitTimeouts(const Rows& keys, TaskRun* run,
                                   std::vector<RecordBatch>* out) const {
  std::vector<std::string_view> encoded;
  for (const uint32_t key : keys) encoded.push_back(state_.keys().key(key));
  std::vector<Field> fields;
  for (size_t i = 0; i < plan_.key.names.size(); ++i) {
    fields.push_back({plan_.key.names[i], plan_.key.types[i]});
  }
  const RecordBatch key_batch(std::make_shared<Schema>(std::move(fields)),
                              DecodeKeys(encoded, plan_.key.types), keys.size());
  const RecordBatch states = state_.Read(keys);
  const RecordBatch names = Named(plan_.timeout_names, key_batch, {&states});
  std::vector<BadRecord> errors;
  const Rows selected = SelectRows(plan_.timeout_when, names, run, &errors);
  const RecordBatch chosen = selected.size() == names.num_rows() ? names : names.Gather(selected);
  std::vector<ColumnRef> columns;
  std::vector<BadRecord> failed;
  plan_.timeout_output.Evaluate(chosen, *run, &columns, &failed);
  const Rows good = WithoutErrors(selected.size(), failed);
  for (BadRecord& error : failed) errors.push_back({selected[error.row], std::move(error.message)});
  Rows keep;
  bool all = true;
  RETURN_IF_ERROR(
      HandleRowErrors(plan_.on_error, plan_.origin, names, std::move(errors), run, &keep, &all));
  const Rows fired = Pick(keys, selected);
  for (size_t i = columns.size(); i < plan_.schema->size(); ++i) {
    columns.push_back(TimeoutHidden((*plan_.schema)[i], fired, *run));
  }
  const RecordBatch rows(plan_.schema, std::move(columns), selected.size());
  if (!good.empty()) out->push_back(good.size() == selected.size() ? rows : rows.Gather(good));
  return OkStatus();
}

// Hidden fields of rows that no record caused: the time at which the key fell due, this batch, and
// blanks.
ColumnRef StateOperator::TimeoutHidden(const Field& field, const Rows& keys,
                                       const TaskRun& run) const {
  const bool event_time = field.name == kEventTimeField;
  if (!event_time && field.name != kBatchTimeField) return BlankColumn(field.type, keys.size());
  const int64_t batch_time = run.context->batch_time.time_since_epoch().count();
  // Never before the last watermark, so that windows behind this step still take the row.
  const int64_t previous =
      PreviousEventWatermark(plan_.input_watermark, *run.context).time_since_epoch().count();
  auto column = std::make_shared<Column>(field.type);
  for (const uint32_t key : keys) {
    const bool due = event_time && plan_.time.event;
    const int64_t time = due ? state_.due(key) - (plan_.idle ? 1 : 0) : batch_time;
    column->AppendInt(event_time ? std::max(time, previous) : time);
  }
  return column;
}

}  // namespace millrace::worker
