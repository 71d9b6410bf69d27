#pragma once

#include <string>
#include <vector>

#include "worker/step/step.h"

namespace millrace::worker {

// The expressions of one `map`, `set`, `update` or output: {field: CEL}, all over the same record.
// Immutable after Compile; thread-safe. A field that only names another shares its column.
class FieldExpressions {
 public:
  // Errors go to env.diagnostics at `path`.<field>; false when there is one. `nullable_results`:
  // onError SetNull.
  bool Compile(const StepEnv& env, const ExprEnv& names, const api::ExpressionMap& fields,
               const std::string& path, bool nullable_results = false);
  // The same with the type that each result must have, in map order.
  bool CompileAs(const StepEnv& env, const ExprEnv& names, const api::ExpressionMap& fields,
                 const std::string& path, const std::vector<Type>& expected);

  bool empty() const { return fields_.empty(); }
  size_t size() const { return fields_.size(); }
  // Fields in name order with their result types.
  const std::vector<Field>& fields() const { return fields_; }
  void AddUses(std::vector<FieldUse>* uses) const;

  // One column per field, appended. Rows that fail are listed in `errors`; with nullable results
  // they hold null.
  void Evaluate(const RecordBatch& batch, const TaskRun& run, std::vector<ColumnRef>* columns,
                std::vector<BadRecord>* errors) const;

 private:
  ColumnRef EvaluateOne(size_t i, const RecordBatch& batch, const TaskRun& run,
                        std::vector<BadRecord>* errors) const;

  std::vector<Field> fields_;
  std::vector<ProgramRef> programs_;
  std::vector<std::string> shared_;  // field that the expression only names, else empty
  bool nullable_results_ = false;
};

// True for types that a field may have; else an error at `path` is added.
bool CheckStorable(const StepEnv& env, const Type& type, const std::string& path);
// Adds an error at the step's onError when it is SetNull, which only map and set know.
void RefuseSetNull(const StepEnv& env);
// Adds an error unless the manifest's own check has reported something at this path.
void AddErrorOnce(const StepEnv& env, const std::string& path, std::string message);
// Adds an error at `path` when the record has a field of this name already.
bool CheckNewField(const StepEnv& env, const Schema& record, const std::string& name,
                   const std::string& path,
                   const std::string& remedy = "give another name with \"as\"");
// `record` without the fields that nobody behind the step reads.
Schema NeededPart(const StepEnv& env, const Schema& record);
// Columns of `batch` by the names of `schema`, which it has; shares them.
RecordBatch Project(const RecordBatch& batch, const SchemaRef& schema);
// Refuses an updating input, which the step would count twice.
void RefuseUpdating(const StepEnv& env, const StepInput& input, const std::string& path,
                    const std::string& kind);

}  // namespace millrace::worker
