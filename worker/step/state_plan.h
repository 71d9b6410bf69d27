#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "worker/step/field_expressions.h"
#include "worker/step/keyed_plan.h"
#include "worker/step/step.h"
#include "worker/step/step_time.h"

// What a `state` step computes, checked and compiled.
namespace millrace::worker {

// Names under which expressions see the state.
inline constexpr std::string_view kStateName = "state";
inline constexpr std::string_view kOldName = "old";

// Rows of an initial table by key group, worked out once per table version. Thread-safe.
class InitialRows {
 public:
  struct Rows {
    std::vector<uint32_t> rows;
    std::vector<std::string> keys;
  };
  // Table rows whose key belongs to `unit`, with their encoded keys.
  Rows Of(const TableVersion& table, const KeyPlan& key, int unit);

 private:
  std::mutex mutex_;
  std::string version_;
  std::vector<Rows> by_unit_;
};

struct StatePlan {
  std::string origin;
  api::ErrorPolicy on_error = api::ErrorPolicy::kFail;
  KeyPlan key;
  StepTime time;
  bool has_event_time = false;
  WatermarkRule input_watermark;

  SchemaRef state;   // the state's fields, by name
  RecordBatch init;  // one row
  FieldExpressions update;
  std::vector<int> update_targets;  // state field of each update expression
  ProgramRef output_when;           // nullptr: always
  FieldExpressions output;          // empty: the record itself
  ProgramRef remove_when;           // nullptr: never
  ProgramRef order;                 // nullptr: source position

  std::optional<int64_t> idle;  // microseconds
  ProgramRef timeout_at;
  bool has_on_timeout = false;
  ProgramRef timeout_when;  // nullptr: always
  FieldExpressions timeout_output;

  std::string initial;  // table, empty: none
  std::shared_ptr<InitialRows> initial_rows;

  // Schemas that the expressions run on. Records are narrowed to the fields that some expression
  // reads.
  std::vector<int> record_columns;
  SchemaRef record;         // orderExpr
  SchemaRef update_names;   // record, state
  SchemaRef output_names;   // record, state, old
  SchemaRef state_names;    // state
  SchemaRef timeout_names;  // key, state
  SchemaRef schema;         // of the output

  bool has_timeout() const { return idle.has_value() || timeout_at != nullptr; }
  std::vector<FieldUse> uses() const;
};

// Checks and compiles the step; false, with errors in env.diagnostics, when there is one.
bool PlanState(const api::StateStep& spec, const StepEnv& env, StatePlan* plan);

}  // namespace millrace::worker
