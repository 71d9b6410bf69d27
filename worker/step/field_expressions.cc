#include "worker/step/field_expressions.h"

#include <algorithm>
#include <utility>

#include "crds/base/text.h"
#include "worker/step/column_tools.h"

namespace millrace::worker {
namespace {

bool IsStorable(const Type& type) {
  switch (type.kind()) {
    case Kind::kList:
      return IsStorable(type.element());
    case Kind::kMap:
      return type.map_key().kind() == Kind::kString && IsStorable(type.map_value());
    case Kind::kStruct:
      return std::all_of(type.fields().begin(), type.fields().end(),
                         [](const Field& field) { return IsStorable(field.type); });
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kJson:
      return true;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return false;
  }
  return false;
}

// The field that `text` is nothing but the name of.
std::string OnlyName(const std::string& text, const ExprEnv& names) {
  const std::string name(Trim(text));
  const bool hidden = name == "tables" && !names.tables.empty();
  return !hidden && names.fields.Find(name) >= 0 ? name : "";
}

}  // namespace

bool FieldExpressions::Compile(const StepEnv& env, const ExprEnv& names,
                               const api::ExpressionMap& fields, const std::string& path,
                               bool nullable_results) {
  nullable_results_ = nullable_results;
  bool good = true;
  for (const auto& [name, text] : fields) {
    const std::string where = path + "." + name;
    ProgramRef program = CompileExpression(env, names, text, where);
    if (program == nullptr || !CheckStorable(env, program->type(), where)) {
      good = false;
      continue;
    }
    fields_.push_back({name, nullable_results ? program->type().AsNullable() : program->type()});
    shared_.push_back(OnlyName(text, names));
    programs_.push_back(std::move(program));
  }
  return good;
}

bool FieldExpressions::CompileAs(const StepEnv& env, const ExprEnv& names,
                                 const api::ExpressionMap& fields, const std::string& path,
                                 const std::vector<Type>& expected) {
  bool good = true;
  size_t i = 0;
  for (const auto& [name, text] : fields) {
    const Type& type = expected[i++];
    ProgramRef program = CompileExpression(env, names, text, path + "." + name, &type);
    if (program == nullptr) {
      good = false;
      continue;
    }
    fields_.push_back({name, type});
    shared_.push_back(OnlyName(text, names));
    programs_.push_back(std::move(program));
  }
  return good;
}

void FieldExpressions::AddUses(std::vector<FieldUse>* uses) const {
  for (const ProgramRef& program : programs_) {
    uses->insert(uses->end(), program->uses().begin(), program->uses().end());
  }
}

void FieldExpressions::Evaluate(const RecordBatch& batch, const TaskRun& run,
                                std::vector<ColumnRef>* columns,
                                std::vector<BadRecord>* errors) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    columns->push_back(EvaluateOne(i, batch, run, errors));
  }
}

ColumnRef FieldExpressions::EvaluateOne(size_t i, const RecordBatch& batch, const TaskRun& run,
                                        std::vector<BadRecord>* errors) const {
  if (!shared_[i].empty()) {
    const int column = batch.schema().Find(shared_[i]);
    if (batch.column(column).type().kind() == fields_[i].type.kind()) {
      return WithType(batch.column_ref(column), fields_[i].type);
    }
  }
  const size_t before = errors->size();
  ColumnRef column = programs_[i]->Evaluate(batch, run.table_lists, errors);
  if (nullable_results_ && errors->size() > before) {
    std::vector<uint32_t> failed;
    for (size_t e = before; e < errors->size(); ++e) {
      failed.push_back(static_cast<uint32_t>((*errors)[e].row));
    }
    column = WithNulls(column, failed);
  }
  return WithType(column, fields_[i].type);
}

bool CheckStorable(const StepEnv& env, const Type& type, const std::string& path) {
  if (IsStorable(type)) return true;
  const bool null = type.kind() == Kind::kNull;
  api::AddError(env.diagnostics, path,
                null ? std::string("this expression is always null, so the field has no type")
                     : "a field cannot hold a value of type " + type.ToString());
  return false;
}

void AddErrorOnce(const StepEnv& env, const std::string& path, std::string message) {
  for (const api::Diagnostic& diagnostic : *env.diagnostics) {
    if (!diagnostic.warning && diagnostic.path == path) return;
  }
  api::AddError(env.diagnostics, path, std::move(message));
}

void RefuseSetNull(const StepEnv& env) {
  if (env.on_error != api::ErrorPolicy::kSetNull) return;
  const std::string step = env.path.substr(0, env.path.rfind('.'));
  AddErrorOnce(env, step + ".onError", "SetNull is for map and set; use Fail, Skip or DeadLetter");
}

Schema NeededPart(const StepEnv& env, const Schema& record) {
  if (!env.needed) return record;
  std::vector<Field> fields;
  for (const Field& field : record.fields()) {
    if (env.needed->contains(field.name)) fields.push_back(field);
  }
  return Schema(std::move(fields));
}

RecordBatch Project(const RecordBatch& batch, const SchemaRef& schema) {
  std::vector<ColumnRef> columns;
  columns.reserve(schema->size());
  for (const Field& field : schema->fields()) {
    columns.push_back(batch.column_ref(batch.schema().Find(field.name)));
  }
  return RecordBatch(schema, std::move(columns), batch.num_rows());
}

bool CheckNewField(const StepEnv& env, const Schema& record, const std::string& name,
                   const std::string& path, const std::string& remedy) {
  if (record.Find(name) < 0) return true;
  api::AddError(env.diagnostics, path,
                "the record already has a field \"" + name + "\"; " + remedy);
  return false;
}

void RefuseUpdating(const StepEnv& env, const StepInput& input, const std::string& path,
                    const std::string& kind) {
  if (!input.updating) return;
  AddErrorOnce(
      env, path,
      kind +
          " cannot follow an updating stream, whose rows replace earlier ones: it would "
          "count them twice. Give the aggregate emit: Final, or use aggregate with latestBy");
}

}  // namespace millrace::worker
