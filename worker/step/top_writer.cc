#include "crds/base/text.h"
#include "worker/step/aggregate_writer.h"
#include "worker/step/column_tools.h"
#include "worker/step/top_operator.h"

namespace millrace::worker {

Status TopPlan::KeyError(const Status& status, std::string_view key) const {
  std::string context = origin;
  if (!key_columns.empty()) {
    std::vector<Field> fields;
    for (size_t i = 0; i < key_names.size(); ++i) fields.push_back({key_names[i], key_types[i]});
    const RecordBatch row(std::make_shared<Schema>(std::move(fields)),
                          DecodeKeys({&key, 1}, key_types), 1);
    context += ": key " + Excerpt(RowToJson(row, 0), 200);
  }
  return status.WithContext(context);
}

// Rows as TopOrder::row_schema with their order values; those whose order cannot be told go the way
// of onError.
Result<RecordBatch> TopWriter::Candidates(const RecordBatch& batch, TaskRun* run) {
  std::vector<BadRecord> errors;
  std::vector<ColumnRef> columns{nullptr};
  for (const ProgramRef& program : plan_->order_programs) {
    columns.push_back(program->Evaluate(batch, run->table_lists, &errors));
  }
  for (const int column : plan_->field_columns) {
    columns.push_back(batch.column_ref(static_cast<size_t>(column)));
  }
  std::vector<int64_t> seq(batch.num_rows());
  for (int64_t& value : seq) value = next_seq_++;
  columns[0] = IntColumn(seq);
  RecordBatch rows(plan_->order.row_schema, std::move(columns), batch.num_rows());
  if (errors.empty()) return rows;
  std::vector<uint32_t> keep;
  bool all = false;
  RETURN_IF_ERROR(
      HandleRowErrors(plan_->on_error, plan_->origin, batch, std::move(errors), run, &keep, &all));
  return all ? rows : rows.Gather(keep);
}

Status TopWriter::Add(const RecordBatch& batch, TaskRun* run) {
  const bool whole = plan_->window.shape == WindowShape::kBatch;
  RecordBatch in_time =
      whole ? WithoutDeleted(batch) : DropLate(plan_->window, plan_->origin, batch, run);
  const int64_t first_seq = next_seq_;
  ASSIGN_OR_RETURN(const RecordBatch rows, Candidates(in_time, run));
  if (rows.num_rows() == 0) return OkStatus();
  if (rows.num_rows() != in_time.num_rows()) {
    std::vector<uint32_t> kept;
    for (const int64_t seq : rows.column(0).ints)
      kept.push_back(static_cast<uint32_t>(seq - first_seq));
    in_time = in_time.Gather(kept);
  }
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder(plan_->key_columns).Encode(in_time, &arena, &keys);
  const WindowPlan& window = plan_->window;
  std::vector<int64_t> slices(rows.num_rows());
  if (window.timed()) {
    const bool event = window.event_time;
    if (event) slices = EventTimes(in_time, window.time_column);
    for (int64_t& time : slices) {
      time = window.grid.SliceOf(event ? time
                                       : ProcessingTime(*run->context).time_since_epoch().count());
    }
  }
  for (size_t from = 0; from < slices.size();) {
    size_t to = from + 1;
    while (to < slices.size() && slices[to] == slices[from]) ++to;
    auto& table = slices_[slices[from]];
    if (table == nullptr) table = std::make_unique<TopTable>(&plan_->order);
    const Status status = table->Offer(std::span(keys).subspan(from, to - from), rows, from);
    if (!status.ok()) return plan_->KeyError(status, table->failed_key());
    table->CompactIfSparse();
    from = to;
  }
  return OkStatus();
}

Status TopWriter::Finish(TaskRun*, const SendFn& send) {
  std::vector<RecordBatch> parts;
  std::vector<int> units;
  for (const auto& [start, table] : slices_) {
    std::vector<uint32_t> rows;
    std::vector<std::string_view> keys;
    for (uint32_t key_row = 0; key_row < table->keys().row_limit(); ++key_row) {
      const int unit = KeyGroupOf(table->keys().hash(key_row), plan_->units);
      for (const uint32_t row : table->list(key_row)) {
        rows.push_back(row);
        keys.push_back(table->keys().key(key_row));
        units.push_back(unit);
      }
    }
    const std::vector<int64_t> starts(rows.size(), start);
    std::vector<ColumnRef> columns{IntColumn(starts), BytesColumn(keys)};
    const RecordBatch stored = table->Rows(rows);
    columns.insert(columns.end(), stored.columns().begin(), stored.columns().end());
    parts.emplace_back(plan_->wire_schema, std::move(columns), rows.size());
  }
  if (parts.empty()) return OkStatus();
  SendByUnit(Concat(parts), units, plan_->units, send);
  return OkStatus();
}

}  // namespace millrace::worker
