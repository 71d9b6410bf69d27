#include <algorithm>
#include <set>
#include <utility>

#include "worker/step/field_expressions.h"
#include "worker/step/step.h"

// map, set and drop: steps that change which columns a record has.
namespace millrace::worker {
namespace {

// A column of the result: a column of the input or the result of an expression.
struct ColumnSource {
  std::string input;  // empty: an expression
  size_t expression = 0;
};

class MapStep final : public NarrowStep {
 public:
  MapStep(const StepEnv& env, FieldExpressions expressions, bool keeps_visible)
      : origin_(env.origin), on_error_(env.on_error), expressions_(std::move(expressions)) {
    Schema schema;
    if (keeps_visible) schema = env.input.schema;
    for (const Field& field : expressions_.fields()) schema.Set(field);
    if (!keeps_visible) AddHidden(env.input.schema, &schema);
    for (const Field& field : schema.fields()) sources_.push_back(SourceOf(field.name));
    schema_ = std::make_shared<Schema>(std::move(schema));
  }

  const SchemaRef& output_schema() const override { return schema_; }
  std::vector<FieldUse> uses() const override {
    std::vector<FieldUse> uses;
    expressions_.AddUses(&uses);
    return uses;
  }

  Result<RecordBatch> Apply(const RecordBatch& in, TaskRun* run) const override {
    std::vector<ColumnRef> results;
    std::vector<BadRecord> errors;
    expressions_.Evaluate(in, *run, &results, &errors);
    std::vector<ColumnRef> columns;
    columns.reserve(sources_.size());
    for (const ColumnSource& source : sources_) {
      columns.push_back(source.input.empty() ? results[source.expression]
                                             : in.column_ref(in.schema().Find(source.input)));
    }
    RecordBatch out(schema_, std::move(columns), in.num_rows());
    std::vector<uint32_t> keep;
    bool all = true;
    RETURN_IF_ERROR(HandleRowErrors(on_error_, origin_, in, std::move(errors), run, &keep, &all));
    return all ? out : out.Gather(keep);
  }

 private:
  static void AddHidden(const Schema& input, Schema* schema) {
    for (const Field& field : input.fields()) {
      if (Schema::IsHidden(field.name)) schema->Set(field);
    }
  }
  ColumnSource SourceOf(const std::string& name) const {
    for (size_t i = 0; i < expressions_.size(); ++i) {
      if (expressions_.fields()[i].name == name) return {"", i};
    }
    return {name, 0};
  }

  std::string origin_;
  api::ErrorPolicy on_error_;
  FieldExpressions expressions_;
  SchemaRef schema_;
  std::vector<ColumnSource> sources_;
};

class DropStep final : public NarrowStep {
 public:
  DropStep(Schema schema, std::vector<std::string> dropped)
      : schema_(std::make_shared<Schema>(std::move(schema))), dropped_(std::move(dropped)) {}

  const SchemaRef& output_schema() const override { return schema_; }
  // The dropped names must exist for the step to type-check.
  std::vector<FieldUse> uses() const override {
    std::vector<FieldUse> uses;
    for (const std::string& name : dropped_) uses.push_back({{name}, true});
    return uses;
  }
  Result<RecordBatch> Apply(const RecordBatch& in, TaskRun* /*run*/) const override {
    std::vector<ColumnRef> columns;
    for (const Field& field : schema_->fields()) {
      columns.push_back(in.column_ref(in.schema().Find(field.name)));
    }
    return RecordBatch(schema_, std::move(columns), in.num_rows());
  }

 private:
  SchemaRef schema_;
  std::vector<std::string> dropped_;
};

std::unique_ptr<NarrowStep> MakeMap(const api::ExpressionMap& fields, const StepEnv& env,
                                    bool keeps_visible) {
  FieldExpressions expressions;
  const bool nullable = env.on_error == api::ErrorPolicy::kSetNull;
  if (!expressions.Compile(env, InputNames(env), fields, env.path, nullable)) return nullptr;
  return std::make_unique<MapStep>(env, std::move(expressions), keeps_visible);
}

}  // namespace

std::unique_ptr<NarrowStep> MakeMapStep(const api::MapStep& spec, const StepEnv& env) {
  return MakeMap(spec.fields, env, /*keeps_visible=*/false);
}

std::unique_ptr<NarrowStep> MakeSetStep(const api::SetStep& spec, const StepEnv& env) {
  return MakeMap(spec.fields, env, /*keeps_visible=*/true);
}

std::unique_ptr<NarrowStep> MakeDropStep(const api::DropStep& spec, const StepEnv& env) {
  const std::set<std::string> dropped(spec.fields.begin(), spec.fields.end());
  bool good = ResolveFields(env, env.input.schema, spec.fields, "").size() == spec.fields.size();
  for (size_t i = 0; i < spec.fields.size(); ++i) {
    if (!Schema::IsHidden(spec.fields[i]) || env.input.schema.Find(spec.fields[i]) < 0) continue;
    api::AddError(env.diagnostics, env.path + "[" + std::to_string(i) + "]",
                  "field \"" + spec.fields[i] +
                      "\" is hidden: it stays with every record and is never written");
    good = false;
  }
  if (!good) return nullptr;
  std::vector<Field> kept;
  for (const Field& field : env.input.schema.fields()) {
    if (!dropped.contains(field.name)) kept.push_back(field);
  }
  return std::make_unique<DropStep>(Schema(std::move(kept)), spec.fields);
}

}  // namespace millrace::worker
