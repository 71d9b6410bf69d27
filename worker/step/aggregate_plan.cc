#include "worker/step/aggregate_plan.h"

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

bool IsTrue(const Column& column, size_t row) {
  return !column.IsNull(row) && column.bools[row] != 0;
}

void EvaluateCall(const CompiledCall& call, const RecordBatch& batch, const TableLists* tables,
                  EvaluatedRows* out, std::vector<BadRecord>* errors) {
  ColumnRef filter;
  if (call.filter != nullptr) filter = call.filter->Evaluate(batch, tables, errors);
  std::vector<ColumnRef> arguments;
  std::vector<BadRecord> argument_errors;
  for (const ProgramRef& argument : call.arguments) {
    arguments.push_back(argument->Evaluate(batch, tables, &argument_errors));
  }
  for (BadRecord& error : argument_errors) {
    if (filter == nullptr || IsTrue(*filter, error.row)) errors->push_back(std::move(error));
  }
  out->arguments.push_back(std::move(arguments));
  out->filters.push_back(std::move(filter));
}

ColumnRef GatherRef(const ColumnRef& column, std::span<const uint32_t> rows) {
  return column == nullptr ? nullptr : Gather(*column, rows);
}

}  // namespace

Status AggregatePlan::KeyError(const Status& status, std::string_view key) const {
  std::string context = origin;
  if (!keyless()) {
    std::vector<Field> fields;
    for (size_t i = 0; i < key_names.size(); ++i) fields.push_back({key_names[i], key_types[i]});
    const RecordBatch row(std::make_shared<Schema>(std::move(fields)),
                          DecodeKeys({&key, 1}, key_types), 1);
    context += ": key " + Excerpt(RowToJson(row, 0), 200);
  }
  return status.WithContext(context);
}

Status EvaluateCalls(const AggregatePlan& plan, const RecordBatch& batch, TaskRun* run,
                     EvaluatedRows* out) {
  std::vector<BadRecord> errors;
  for (const CompiledCall& call : plan.calls) {
    EvaluateCall(call, batch, run->table_lists, out, &errors);
  }
  if (plan.delete_when != nullptr) {
    out->deletes = plan.delete_when->Evaluate(batch, run->table_lists, &errors);
  }
  out->batch = batch;
  if (errors.empty()) return OkStatus();
  std::vector<uint32_t> keep;
  bool all = false;
  RETURN_IF_ERROR(
      HandleRowErrors(plan.on_error, plan.origin, batch, std::move(errors), run, &keep, &all));
  if (all) return OkStatus();
  out->batch = batch.Gather(keep);
  for (auto& arguments : out->arguments) {
    for (ColumnRef& argument : arguments) argument = GatherRef(argument, keep);
  }
  for (ColumnRef& filter : out->filters) filter = GatherRef(filter, keep);
  out->deletes = GatherRef(out->deletes, keep);
  return OkStatus();
}

Status UpdateCalls(const AggregatePlan& plan, const EvaluatedRows& rows,
                   std::span<const uint32_t> set_rows, AggregateSet* set) {
  std::vector<int64_t> times;
  if (plan.order_column >= 0) times = EventTimes(rows.batch, plan.order_column);
  std::vector<uint32_t> selected;
  for (size_t call = 0; call < plan.calls.size(); ++call) {
    UpdateArgs args{.rows = set_rows, .arguments = rows.arguments[call], .records = {}};
    args.times = times.empty() ? nullptr : times.data();
    const Column* filter = rows.filters[call].get();
    args.all = filter == nullptr;
    for (const ColumnRef& argument : args.arguments) args.all = args.all && !argument->has_nulls();
    if (!args.all) {
      selected.clear();
      for (uint32_t i = 0; i < set_rows.size(); ++i) {
        bool use = filter == nullptr || IsTrue(*filter, i);
        for (const ColumnRef& argument : args.arguments) use = use && !argument->IsNull(i);
        if (use) selected.push_back(i);
      }
      args.records = selected;
    }
    RETURN_IF_ERROR(set->Update(call, args));
  }
  return OkStatus();
}

Status EmitRows(const AggregatePlan& plan, const OutputRows& rows, const AggregateSet& set,
                TaskRun* run, std::vector<RecordBatch>* out) {
  return EmitResults(plan, rows, set.Results(rows.rows), run, out);
}

Status EmitResults(const AggregatePlan& plan, const OutputRows& rows,
                   std::span<const ColumnRef> results, TaskRun* run,
                   std::vector<RecordBatch>* out) {
  const size_t count = rows.keys.size();
  if (count == 0) return OkStatus();
  std::vector<ColumnRef> columns;
  if (!plan.keyless()) columns = DecodeKeys(rows.keys, plan.key_types);
  if (plan.window.timed()) {
    columns.push_back(TimestampColumn(rows.starts));
    columns.push_back(TimestampColumn(rows.ends));
  }
  const size_t shared = columns.size();
  std::vector<BadRecord> errors;
  for (const OuterExpression& value : plan.values) {
    std::vector<ColumnRef> inputs(columns.begin(),
                                  columns.begin() + static_cast<std::ptrdiff_t>(shared));
    for (const size_t call : value.calls) inputs.push_back(results[call]);
    const RecordBatch batch(value.schema, std::move(inputs), count);
    columns.push_back(value.program->Evaluate(batch, run->table_lists, &errors));
  }
  AppendHiddenColumns(plan.window, rows.ends, count, *run, &columns);
  if (plan.marks_deletions) {
    auto deleted = std::make_shared<Column>(Type(Kind::kBool));
    deleted->bools = rows.deleted;
    deleted->bools.resize(count);
    deleted->set_size(count);
    columns.push_back(std::move(deleted));
    std::erase_if(errors, [&](const BadRecord& e) {
      return e.row < rows.deleted.size() && rows.deleted[e.row] != 0;
    });
  }
  RecordBatch batch(plan.output_schema, std::move(columns), count);
  if (!errors.empty()) {
    std::vector<uint32_t> keep;
    bool all = false;
    RETURN_IF_ERROR(
        HandleRowErrors(plan.on_error, plan.origin, batch, std::move(errors), run, &keep, &all));
    if (!all) batch = batch.Gather(keep);
  }
  if (batch.num_rows() > 0) out->push_back(std::move(batch));
  return OkStatus();
}

}  // namespace millrace::worker
