#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/step/aggregate_window.h"
#include "worker/step/step.h"
#include "worker/window/group_table.h"

// What the sender and receiver sides of an aggregate share: its checked description, the evaluation
// of its calls and the making of output rows.
namespace millrace::worker {

// One aggregate call, compiled.
struct CompiledCall {
  std::vector<ProgramRef> arguments;
  ProgramRef filter;  // nullptr: every record
};

// The expression around the calls of one value: sees the key fields, the window and call i as
// __agg<i>.
struct OuterExpression {
  std::string field;
  std::vector<size_t> calls;  // indexes into AggregatePlan::calls
  SchemaRef schema;
  ProgramRef program;
};

struct AggregatePlan {
  std::string origin;
  api::ErrorPolicy on_error = api::ErrorPolicy::kFail;
  WindowPlan window;
  std::vector<int> key_columns;
  std::vector<Type> key_types;
  std::vector<std::string> key_names;
  std::vector<CompiledCall> calls;
  AggregateLayout layout;
  int order_column = -1;  // event time for first, last, collect; -1: arrival
  int units = 1;

  // latestBy
  std::vector<int> latest_columns;
  ProgramRef delete_when;
  int deleted_column = -1;  // __deleted of the input

  std::vector<OuterExpression> values;
  SchemaRef output_schema;
  bool marks_deletions = false;  // output has __deleted

  bool keyless() const { return key_columns.empty(); }
  // `status` with step and key in front.
  Status KeyError(const Status& status, std::string_view key) const;
};
using AggregatePlanRef = std::shared_ptr<const AggregatePlan>;

// Rows with the arguments of all calls evaluated.
struct EvaluatedRows {
  RecordBatch batch;
  std::vector<std::vector<ColumnRef>> arguments;  // by call
  std::vector<ColumnRef> filters;                 // by call, nullptr: none
  ColumnRef deletes;                              // deleteWhen, nullptr: none
};

// Evaluates the calls over `batch`; rows that fail go the way of onError and are not in `out`. An
// argument that fails in a row that the call's predicate leaves out is no failure.
Status EvaluateCalls(const AggregatePlan& plan, const RecordBatch& batch, TaskRun* run,
                     EvaluatedRows* out);
// Folds record i into rows[i] of `set`.
Status UpdateCalls(const AggregatePlan& plan, const EvaluatedRows& rows,
                   std::span<const uint32_t> set_rows, AggregateSet* set);

// Output rows to be: row i has keys[i], the results of rows[i] of `set`, and a window where the
// shape has one.
struct OutputRows {
  std::vector<std::string_view> keys;
  std::vector<uint32_t> rows;
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  std::vector<uint8_t> deleted;  // empty: none
};
Status EmitRows(const AggregatePlan& plan, const OutputRows& rows, const AggregateSet& set,
                TaskRun* run, std::vector<RecordBatch>* out);
// The same with results at hand, one column per call; rows.rows is not read.
Status EmitResults(const AggregatePlan& plan, const OutputRows& rows,
                   std::span<const ColumnRef> results, TaskRun* run, std::vector<RecordBatch>* out);

}  // namespace millrace::worker
