#include <utility>

#include "worker/step/field_expressions.h"
#include "worker/step/json_elements.h"
#include "worker/step/step.h"

namespace millrace::worker {
namespace {

class FlatMapStep final : public NarrowStep {
 public:
  FlatMapStep(const StepEnv& env, std::string field, ProgramRef list, const Type& element)
      : origin_(env.origin), on_error_(env.on_error), list_(std::move(list)) {
    Schema schema = NeededPart(env, env.input.schema);
    schema.Set({field, element});
    target_ = schema.Find(field);
    for (const Field& kept : schema.fields()) names_.push_back(kept.name);
    schema_ = std::make_shared<Schema>(std::move(schema));
  }

  const SchemaRef& output_schema() const override { return schema_; }
  std::vector<FieldUse> uses() const override { return list_->uses(); }

  Result<RecordBatch> Apply(const RecordBatch& in, TaskRun* run) const override {
    std::vector<BadRecord> errors;
    ColumnRef lists = list_->Evaluate(in, run->table_lists, &errors);
    if (lists->kind() == Kind::kJson) lists = SplitJsonArrays(*lists, &errors);
    // Failed rows hold empty lists and so leave no records: only their policy is left to apply.
    std::vector<uint32_t> keep;
    bool all = true;
    RETURN_IF_ERROR(HandleRowErrors(on_error_, origin_, in, std::move(errors), run, &keep, &all));
    return Explode(in, *lists);
  }

 private:
  RecordBatch Explode(const RecordBatch& in, const Column& lists) const {
    const size_t count = lists.children[0]->size();
    std::vector<uint32_t> parents;
    const bool alone = names_.size() == 1;  // no other field is wanted of the parents
    parents.reserve(alone ? 0 : count);
    for (size_t row = 0; row < in.num_rows() && !alone; ++row) {
      parents.insert(parents.end(), lists.list_end(row) - lists.list_begin(row),
                     static_cast<uint32_t>(row));
    }
    std::vector<ColumnRef> columns;
    for (size_t i = 0; i < names_.size(); ++i) {
      columns.push_back(static_cast<int>(i) == target_
                            ? lists.children[0]
                            : Gather(in.column(in.schema().Find(names_[i])), parents));
    }
    return RecordBatch(schema_, std::move(columns), count);
  }

  std::string origin_;
  api::ErrorPolicy on_error_;
  ProgramRef list_;
  SchemaRef schema_;
  int target_ = 0;
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<NarrowStep> MakeFlatMapStep(const api::FlatMapStep& spec, const StepEnv& env) {
  RefuseSetNull(env);
  const std::string path = env.path + "." + spec.field;
  ProgramRef list = CompileExpression(env, InputNames(env), spec.list, path);
  if (list == nullptr) return nullptr;
  const Type type = list->type();
  if (type.kind() != Kind::kList && type.kind() != Kind::kJson) {
    api::AddError(env.diagnostics, path,
                  "flatMap needs a list, one record an element; this expression is of type " +
                      type.ToString());
    return nullptr;
  }
  const Type element = type.kind() == Kind::kList ? type.element() : Type(Kind::kJson);
  if (!CheckStorable(env, element, path)) return nullptr;
  if (env.on_error == api::ErrorPolicy::kSetNull) return nullptr;
  return std::make_unique<FlatMapStep>(env, spec.field, std::move(list), element);
}

}  // namespace millrace::worker
