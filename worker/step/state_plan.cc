#include "worker/step/state_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "crds/base/text.h"
#include "worker/step/column_tools.h"

namespace millrace::worker {
namespace {

// Builds one plan from one spec. Expressions are compiled twice: first over the whole record, for
// the messages and to learn what they read, then over just that.
class StatePlanner {
 public:
  StatePlanner(const api::StateStep& spec, const StepEnv& env, StatePlan* plan)
      : spec_(spec), env_(env), plan_(plan) {}

  bool Plan();

 private:
  bool PlanFields();
  bool PlanInit(const std::vector<ProgramRef>& inits);
  bool PlanTimeout();
  bool PlanInitial();
  bool CheckNames(const api::ExpressionMap& fields, const std::vector<std::string>& known,
                  const std::string& path, const std::string& what);
  bool Compile(const Schema& record);
  bool CompileOutput(const ExprEnv& names);
  bool CompileOnTimeout();
  void Narrow();
  void BuildOutputSchema();
  void WarnHidden();
  bool CheckOrdered(const Type& type);
  ProgramRef CompileTo(const ExprEnv& names, const std::string& text, const std::string& member,
                       Kind kind);
  Field StateField(std::string_view name) const {
    return {std::string(name), plan_->state->AsStruct()};
  }
  Schema With(Schema schema, std::initializer_list<std::string_view> structs) const {
    for (const std::string_view name : structs) schema.Set(StateField(name));
    return schema;
  }
  std::string At(const std::string& member) const { return env_.path + "." + member; }

  const api::StateStep& spec_;
  const StepEnv& env_;
  StatePlan* plan_;
};

std::vector<std::string> NamesOf(const Schema& schema) {
  std::vector<std::string> names;
  for (const Field& field : schema.fields()) names.push_back(field.name);
  return names;
}

bool IsTrue(const std::string& text) { return Trim(text) == "true"; }

bool StatePlanner::Plan() {
  plan_->origin = env_.origin;
  plan_->on_error = env_.on_error;
  plan_->has_event_time = env_.input.has_event_time;
  plan_->input_watermark = env_.input.watermark;
  bool good = ResolveKey(env_, env_.input.schema, spec_.key, "key", &plan_->key);
  good &= ResolveTime(env_, spec_.time, &plan_->time);
  if (!PlanFields()) return false;
  good &= CheckNames(spec_.update, NamesOf(*plan_->state), "update", "state field");
  good &= PlanTimeout();
  good &= PlanInitial();
  if (!good) return false;
  WarnHidden();
  if (!Compile(env_.input.schema)) return false;
  Narrow();
  plan_->update = plan_->output = plan_->timeout_output = FieldExpressions();
  if (!Compile(*plan_->record)) return false;
  BuildOutputSchema();
  return true;
}

bool StatePlanner::PlanFields() {
  std::vector<Field> fields;
  std::vector<ProgramRef> inits;
  bool good = true;
  for (const auto& [name, field] : spec_.fields) {
    const std::string path = At("fields." + name);
    const Result<Type> type = ParseType(field.type);
    if (!type.ok()) {
      AddErrorOnce(env_, path + ".type", type.status().message());
      good = false;
      continue;
    }
    if (!field.init && !type->nullable()) {
      api::AddError(env_.diagnostics, path,
                    "without init the type must be nullable: \"" + field.type + "?\"");
      good = false;
    }
    fields.push_back({name, *type});
    inits.push_back(nullptr);
    if (!field.init) continue;
    const Type expected = *type;
    inits.back() = CompileExpression(env_, ExprEnv{}, *field.init, path + ".init", &expected);
    good &= inits.back() != nullptr;
  }
  if (spec_.fields.empty()) AddErrorOnce(env_, At("fields"), "a state needs at least one field");
  if (!good || fields.empty()) return false;
  plan_->state = std::make_shared<Schema>(std::move(fields));
  return PlanInit(inits);
}

bool StatePlanner::PlanInit(const std::vector<ProgramRef>& inits) {
  const RecordBatch nothing(std::make_shared<Schema>(), {}, 1);
  std::vector<ColumnRef> columns;
  std::vector<BadRecord> errors;
  for (size_t i = 0; i < inits.size(); ++i) {
    const Field& field = (*plan_->state)[i];
    ColumnRef value = inits[i] == nullptr ? BlankColumn(field.type, 1)
                                          : inits[i]->Evaluate(nothing, nullptr, &errors);
    columns.push_back(WithType(value, field.type));
    if (errors.empty()) continue;
    api::AddError(env_.diagnostics, At("fields." + field.name + ".init"), errors[0].message);
    return false;
  }
  plan_->init = RecordBatch(plan_->state, std::move(columns), 1);
  return true;
}

bool StatePlanner::PlanTimeout() {
  bool good = true;
  if (spec_.timeout) {
    plan_->time.rule = env_.input.watermark;
    if (spec_.timeout->idle.has_value() == spec_.timeout->at_expr.has_value()) {
      AddErrorOnce(env_, At("timeout"), "timeout needs one of idle, atExpr");
      good = false;
    } else if (spec_.timeout->idle) {
      plan_->idle = spec_.timeout->idle->count();
      if (*plan_->idle <= 0) AddErrorOnce(env_, At("timeout.idle"), "must be more than 0s");
      good &= *plan_->idle > 0;
    }
  }
  if (!spec_.on_timeout) return good;
  plan_->has_on_timeout = true;
  if (!spec_.timeout) {
    AddErrorOnce(env_, At("onTimeout"), "onTimeout needs a timeout");
    return false;
  }
  std::vector<std::string> names;
  for (const auto& [name, text] : spec_.output.fields) names.push_back(name);
  if (names.empty()) {
    AddErrorOnce(env_, At("onTimeout.fields"),
                 "needs output.fields with the same fields, so that all records are alike");
    return false;
  }
  const api::ExpressionMap& fields = spec_.on_timeout->fields;
  const auto given = [&](const std::string& name) { return fields.contains(name); };
  if (fields.size() == names.size() && std::all_of(names.begin(), names.end(), given)) return good;
  AddErrorOnce(env_, At("onTimeout.fields"),
               "must have the fields of output.fields: " + Join(names, ", "));
  return false;
}

bool StatePlanner::PlanInitial() {
  if (!spec_.initial) return true;
  const auto named = [&](const TableDeclaration& table) { return table.name == *spec_.initial; };
  const auto table = std::find_if(env_.tables.begin(), env_.tables.end(), named);
  if (table == env_.tables.end()) {
    AddErrorOnce(env_, At("initial"), "no table \"" + *spec_.initial + "\"");
    return false;
  }
  std::vector<Field> wanted;
  for (size_t i = 0; i < plan_->key.names.size(); ++i) {
    wanted.push_back({plan_->key.names[i], plan_->key.types[i]});
  }
  wanted.insert(wanted.end(), plan_->state->fields().begin(), plan_->state->fields().end());
  bool good = true;
  for (const Field& field : wanted) {
    const int column = table->schema.Find(field.name);
    const std::string found =
        column < 0 ? "has no such field" : "has it as " + table->schema[column].type.ToString();
    const bool fits = column >= 0 && (table->schema[column].type == field.type ||
                                      table->schema[column].type.AsNullable() == field.type);
    if (fits) continue;
    api::AddError(env_.diagnostics, At("initial"),
                  "table \"" + *spec_.initial + "\" must have the key and state field \"" +
                      field.name + "\" as " + field.type.ToString() + ", but " + found);
    good = false;
  }
  plan_->initial = *spec_.initial;
  plan_->initial_rows = std::make_shared<InitialRows>();
  return good;
}

bool StatePlanner::CheckNames(const api::ExpressionMap& fields,
                              const std::vector<std::string>& known, const std::string& path,
                              const std::string& what) {
  bool good = true;
  for (const auto& [name, text] : fields) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string message = "no " + what + " \"" + name + "\"; there is: " + Join(known, ", ") + ".";
    if (const auto near = ClosestName(name, known)) message += " Did you mean \"" + *near + "\"?";
    api::AddError(env_.diagnostics, At(path + "." + name), std::move(message));
    good = false;
  }
  return good;
}

ProgramRef StatePlanner::CompileTo(const ExprEnv& names, const std::string& text,
                                   const std::string& member, Kind kind) {
  const Type expected(kind, /*nullable=*/true);
  return CompileExpression(env_, names, text, At(member), &expected);
}

bool StatePlanner::Compile(const Schema& record) {
  const ExprEnv update_names{With(record, {kStateName}), env_.tables};
  const ExprEnv output_names{With(record, {kStateName, kOldName}), env_.tables};
  std::vector<Type> expected;
  plan_->update_targets.clear();
  for (const auto& [name, text] : spec_.update) {
    plan_->update_targets.push_back(plan_->state->Find(name));
    expected.push_back((*plan_->state)[plan_->update_targets.back()].type);
  }
  bool good = plan_->update.CompileAs(env_, update_names, spec_.update, At("update"), expected);
  good &= CompileOutput(output_names);
  if (spec_.remove_when) {
    plan_->remove_when = CompileTo(output_names, *spec_.remove_when, "removeWhen", Kind::kBool);
    good &= plan_->remove_when != nullptr;
  }
  if (spec_.order_expr) {
    const ExprEnv names{record, env_.tables};
    plan_->order = CompileExpression(env_, names, *spec_.order_expr, At("orderExpr"));
    good &= plan_->order != nullptr && CheckOrdered(plan_->order->type());
  }
  if (spec_.timeout && spec_.timeout->at_expr) {
    const ExprEnv names{With({}, {kStateName}), env_.tables};
    plan_->timeout_at =
        CompileTo(names, *spec_.timeout->at_expr, "timeout.atExpr", Kind::kTimestamp);
    good &= plan_->timeout_at != nullptr;
  }
  plan_->update_names = std::make_shared<Schema>(update_names.fields);
  plan_->output_names = std::make_shared<Schema>(output_names.fields);
  plan_->state_names = std::make_shared<Schema>(With({}, {kStateName}));
  return good && CompileOnTimeout();
}

bool StatePlanner::CheckOrdered(const Type& type) {
  const bool container = type.kind() == Kind::kList || type.kind() == Kind::kMap ||
                         type.kind() == Kind::kStruct || type.kind() == Kind::kJson;
  if (!container) return true;
  api::AddError(env_.diagnostics, At("orderExpr"),
                "values of type " + type.ToString() + " have no order");
  return false;
}

bool StatePlanner::CompileOutput(const ExprEnv& names) {
  bool good = true;
  if (!IsTrue(spec_.output.when)) {
    plan_->output_when = CompileTo(names, spec_.output.when, "output.when", Kind::kBool);
    good = plan_->output_when != nullptr;
  }
  return plan_->output.Compile(env_, names, spec_.output.fields, At("output.fields")) && good;
}

bool StatePlanner::CompileOnTimeout() {
  if (!spec_.on_timeout) return true;
  std::vector<Field> key;
  for (const int column : plan_->key.columns) key.push_back(env_.input.schema[column]);
  const ExprEnv names{With(Schema(std::move(key)), {kStateName}), env_.tables};
  plan_->timeout_names = std::make_shared<Schema>(names.fields);
  bool good = true;
  if (!IsTrue(spec_.on_timeout->when)) {
    plan_->timeout_when = CompileTo(names, spec_.on_timeout->when, "onTimeout.when", Kind::kBool);
    good = plan_->timeout_when != nullptr;
  }
  std::vector<Type> expected;
  for (const Field& field : plan_->output.fields()) expected.push_back(field.type);
  if (expected.size() != spec_.on_timeout->fields.size()) return false;
  return plan_->timeout_output.CompileAs(env_, names, spec_.on_timeout->fields,
                                         At("onTimeout.fields"), expected) &&
         good;
}

// The record as just the fields that expressions read.
void StatePlanner::Narrow() {
  std::set<std::string> used;
  for (const FieldUse& use : plan_->uses()) used.insert(use.path.front());
  std::vector<Field> fields;
  plan_->record_columns.clear();
  for (size_t i = 0; i < env_.input.schema.size(); ++i) {
    const Field& field = env_.input.schema[i];
    if (!used.contains(field.name)) continue;
    fields.push_back(field);
    plan_->record_columns.push_back(static_cast<int>(i));
  }
  plan_->record = std::make_shared<Schema>(std::move(fields));
}

void StatePlanner::BuildOutputSchema() {
  if (plan_->output.empty()) {
    plan_->schema = std::make_shared<Schema>(env_.input.schema);
    return;
  }
  Schema schema(plan_->output.fields());
  for (const Field& field : env_.input.schema.fields()) {
    if (Schema::IsHidden(field.name)) schema.Set(field);
  }
  plan_->schema = std::make_shared<Schema>(std::move(schema));
}

void StatePlanner::WarnHidden() {
  for (const std::string_view name : {kStateName, kOldName}) {
    if (env_.input.schema.Find(name) < 0) continue;
    env_.diagnostics->push_back({env_.path,
                                 "the field \"" + std::string(name) +
                                     "\" of the record cannot be read in this step, where the "
                                     "name means the step's own state",
                                 -1, /*warning=*/true});
  }
}

}  // namespace

std::vector<FieldUse> StatePlan::uses() const {
  std::vector<FieldUse> all;
  update.AddUses(&all);
  output.AddUses(&all);
  for (const ProgramRef* program : {&output_when, &remove_when, &order}) {
    if (*program == nullptr) continue;
    all.insert(all.end(), (*program)->uses().begin(), (*program)->uses().end());
  }
  std::erase_if(all, [](const FieldUse& use) {
    return use.path.front() == kStateName || use.path.front() == kOldName;
  });
  return all;
}

bool PlanState(const api::StateStep& spec, const StepEnv& env, StatePlan* plan) {
  return StatePlanner(spec, env, plan).Plan();
}

InitialRows::Rows InitialRows::Of(const TableVersion& table, const KeyPlan& key, int unit) {
  const std::lock_guard lock(mutex_);
  if (by_unit_.empty() || version_ != table.version()) {
    version_ = table.version();
    by_unit_.assign(key.units, {});
    std::vector<ColumnRef> columns;
    std::vector<int> indexes;
    std::vector<Field> fields;
    const RecordBatch& rows = table.rows();
    for (size_t i = 0; i < key.names.size(); ++i) {
      const int column = rows.schema().Find(key.names[i]);
      columns.push_back(WithType(rows.column_ref(column), key.types[i]));
      fields.push_back({key.names[i], key.types[i]});
      indexes.push_back(static_cast<int>(i));
    }
    EncodedKeys encoded(indexes);
    encoded.Encode(
        RecordBatch(std::make_shared<Schema>(fields), std::move(columns), rows.num_rows()));
    for (size_t row = 0; row < rows.num_rows(); ++row) {
      Rows& target = by_unit_[KeyGroupOf(encoded.hashes()[row], key.units)];
      target.rows.push_back(static_cast<uint32_t>(row));
      target.keys.emplace_back(encoded.keys()[row]);
    }
  }
  return by_unit_[unit];
}

}  // namespace millrace::worker
