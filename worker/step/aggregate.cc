#include <algorithm>
#include <set>

#include "crds/base/text.h"
#include "worker/step/aggregate_counts.h"
#include "worker/step/aggregate_latest.h"
#include "worker/step/aggregate_plan.h"
#include "worker/step/aggregate_sessions.h"
#include "worker/step/aggregate_slices.h"
#include "worker/step/aggregate_writer.h"
#include "worker/step/readable_step.h"
#include "worker/step/step.h"

namespace millrace::worker {
namespace {

// Reads the step's spec into an AggregatePlan; every error goes to the diagnostics.
class PlanBuilder {
 public:
  PlanBuilder(const api::AggregateStep& spec, const StepEnv& env)
      : spec_(spec), env_(env), plan_(std::make_shared<AggregatePlan>()) {}

  AggregatePlanRef Build() {
    const size_t before = env_.diagnostics->size();
    plan_->origin = env_.origin;
    plan_->on_error = env_.on_error;
    PlanWindow(env_, spec_.window, spec_.time, spec_.emit, spec_.on_late, &plan_->window);
    ResolveKeys();
    for (const auto& [field, text] : spec_.values) AddValue(field, text);
    if (spec_.values.empty()) Refuse("values", "an aggregate needs at least one value");
    ResolveLatest();
    CheckUpdatingInput();
    SetOutput();
    const bool failed = std::any_of(
        env_.diagnostics->begin() + static_cast<std::ptrdiff_t>(before), env_.diagnostics->end(),
        [](const api::Diagnostic& diagnostic) { return !diagnostic.warning; });
    return failed ? nullptr : plan_;
  }

 private:
  void Refuse(const std::string& member, std::string message, int offset = -1) {
    api::AddError(env_.diagnostics, env_.path + "." + member, std::move(message), offset);
  }

  void ResolveKeys() {
    const Schema& schema = env_.input.schema;
    plan_->key_columns = ResolveFields(env_, schema, spec_.key, "key");
    for (size_t i = 0; i < plan_->key_columns.size(); ++i) {
      const Field& field = schema[static_cast<size_t>(plan_->key_columns[i])];
      if (Schema::IsHidden(field.name)) {
        Refuse("key[" + std::to_string(i) + "]",
               "field \"" + field.name +
                   "\" is hidden and would not be in the result; copy it to a field of your own "
                   "with a set step");
      }
      if (field.type.kind() >= Kind::kJson) {
        Refuse("key[" + std::to_string(i) + "]",
               "a key cannot be " + field.type.ToString() +
                   ": make a scalar of it in a set step, with int(), double() or string()");
      }
      plan_->key_types.push_back(field.type);
      plan_->key_names.push_back(field.name);
    }
    plan_->units = plan_->keyless() ? 1 : env_.groups;
  }

  // Compiles a part of a value's text; offsets of errors are made relative to the whole.
  ProgramRef CompilePart(const std::string& text, int offset, const std::string& path,
                         const Type* expected = nullptr) {
    const size_t before = env_.diagnostics->size();
    ProgramRef program = CompileExpression(env_, InputNames(env_), text, path, expected);
    for (size_t i = before; i < env_.diagnostics->size(); ++i) {
      api::Diagnostic& diagnostic = (*env_.diagnostics)[i];
      diagnostic.offset = offset + std::max(0, diagnostic.offset);
    }
    return program;
  }

  // Index of a call, compiled once for all values that have it; -1 on errors.
  int AddCall(const AggregateCall& call, const std::string& member) {
    std::string label =
        call.name + (call.has_filter ? "If" : "") + "(" + Join(call.arguments, ", ") +
        (call.has_filter ? (call.arguments.empty() ? "" : ", ") + call.filter : "") + ")";
    const auto known = std::find(plan_->layout.labels.begin(), plan_->layout.labels.end(), label);
    if (known != plan_->layout.labels.end()) {
      return static_cast<int>(known - plan_->layout.labels.begin());
    }
    const std::string path = env_.path + "." + member;
    const size_t before = env_.diagnostics->size();
    const size_t expressions = std::min(ExpressionArguments(call.name), call.arguments.size());
    CompiledCall compiled;
    std::vector<Type> types;
    for (size_t i = 0; i < expressions; ++i) {
      compiled.arguments.push_back(CompilePart(call.arguments[i], call.argument_offsets[i], path));
      if (compiled.arguments.back() != nullptr) types.push_back(compiled.arguments.back()->type());
    }
    if (call.has_filter) {
      const Type condition(Kind::kBool, true);
      compiled.filter = CompilePart(call.filter, call.filter_offset, path, &condition);
    }
    if (env_.diagnostics->size() != before) return -1;
    const std::vector<std::string> literals(
        call.arguments.begin() + static_cast<std::ptrdiff_t>(expressions), call.arguments.end());
    const AggregateContext context{.has_filter = call.has_filter, .keyless = plan_->keyless()};
    auto function = ResolveAggregate(call.name, context, types, literals);
    if (!function.ok()) {
      Refuse(member, function.status().message(), call.offset);
      return -1;
    }
    if (!spec_.latest_by.empty() && !function->invertible) {
      Refuse(member,
             call.name +
                 "() cannot take a replaced record out again; with latestBy use count, sum, "
                 "avg, variance, stddev or counts",
             call.offset);
      return -1;
    }
    if (function->ordered && env_.input.has_event_time)
      plan_->order_column = plan_->window.time_column;
    plan_->layout.Add(*std::move(function), std::move(label));
    plan_->calls.push_back(std::move(compiled));
    return static_cast<int>(plan_->calls.size()) - 1;
  }

  void AddValue(const std::string& field, const std::string& text) {
    const std::string member = "values." + field;
    std::vector<ExprError> errors;
    const auto split = SplitAggregates(text, AggregateNames(), &errors);
    for (const ExprError& error : errors) Refuse(member, error.message, error.offset);
    if (!split.ok()) {
      if (errors.empty()) Refuse(member, split.status().message());
      return;
    }
    OuterExpression value{.field = field, .calls = {}, .schema = nullptr, .program = nullptr};
    std::vector<Field> fields = GroupFields();
    for (size_t i = 0; i < split->calls.size(); ++i) {
      const int call = AddCall(split->calls[i], member);
      if (call < 0) return;
      value.calls.push_back(static_cast<size_t>(call));
      fields.push_back(
          {"__agg" + std::to_string(i), plan_->layout.functions[value.calls.back()].result});
    }
    value.schema = std::make_shared<Schema>(std::move(fields));
    value.program = CompileExpression(env_, ExprEnv{*value.schema, env_.tables}, split->outer,
                                      env_.path + "." + member);
    if (value.program != nullptr) plan_->values.push_back(std::move(value));
  }

  std::vector<Field> GroupFields() const {
    std::vector<Field> fields;
    for (size_t i = 0; i < plan_->key_names.size(); ++i) {
      fields.push_back({plan_->key_names[i], plan_->key_types[i]});
    }
    if (plan_->window.timed()) {
      fields.push_back({"windowStart", Type(Kind::kTimestamp)});
      fields.push_back({"windowEnd", Type(Kind::kTimestamp)});
    }
    return fields;
  }

  void ResolveLatest() {
    if (spec_.latest_by.empty()) {
      if (spec_.delete_when)
        Refuse("deleteWhen", "needs latestBy: which record would it take out?");
      return;
    }
    plan_->latest_columns = ResolveFields(env_, env_.input.schema, spec_.latest_by, "latestBy");
    if (plan_->window.shape != WindowShape::kGlobal || plan_->window.ttl) {
      Refuse("latestBy",
             "needs the window global: {} without ttl: what it replaces must still be there");
    }
    if (spec_.delete_when) {
      const Type condition(Kind::kBool, true);
      plan_->delete_when = CompileExpression(env_, InputNames(env_), *spec_.delete_when,
                                             env_.path + ".deleteWhen", &condition);
    }
    plan_->deleted_column = env_.input.schema.Find(kDeletedField);
    // A contribution may move between groups, so one unit holds them all, unless the key is part of
    // what identifies a record.
    const std::set<std::string> latest(spec_.latest_by.begin(), spec_.latest_by.end());
    const bool stays = std::all_of(spec_.key.begin(), spec_.key.end(),
                                   [&](const std::string& name) { return latest.contains(name); });
    if (!stays) plan_->units = 1;
  }

  void CheckUpdatingInput() {
    if (!env_.input.updating || !spec_.latest_by.empty()) return;
    if (plan_->window.shape == WindowShape::kBatch) return;
    Refuse("latestBy", "this stream updates its rows: say which fields identify one (latestBy: [" +
                           Join(env_.input.update_key, ", ") +
                           "]), else every version would count");
  }

  void SetOutput() {
    std::vector<Field> fields = GroupFields();
    for (const OuterExpression& value : plan_->values) {
      fields.push_back({value.field, value.program->type()});
    }
    std::set<std::string> names;
    for (const Field& field : fields) {
      if (names.insert(field.name).second) continue;
      Refuse("values." + field.name,
             "field \"" + field.name + "\" would be there twice: rename it");
    }
    Schema schema(std::move(fields));
    AddHiddenFields(plan_->window, &schema);
    plan_->marks_deletions =
        !plan_->latest_columns.empty() ||
        (plan_->window.shape == WindowShape::kSession && plan_->window.updating());
    if (plan_->marks_deletions) schema.Set({std::string(kDeletedField), Type(Kind::kBool)});
    plan_->output_schema = std::make_shared<Schema>(std::move(schema));
  }

  const api::AggregateStep& spec_;
  const StepEnv& env_;
  std::shared_ptr<AggregatePlan> plan_;
};

class AggregateKeyedStep final : public KeyedStep, public ReadableStep {
 public:
  AggregateKeyedStep(AggregatePlanRef plan, const api::AggregateStep& spec, const StepEnv& env)
      : plan_(std::move(plan)),
        description_(Describe(spec)),
        shape_(Shape(spec)),
        uses_(Uses(env)) {}

  const SchemaRef& output_schema() const override { return plan_->output_schema; }
  std::unique_ptr<ExchangeWriter> MakeWriter(int) const override {
    if (plan_->window.shape == WindowShape::kSession) return std::make_unique<SessionWriter>(plan_);
    if (plan_->window.shape == WindowShape::kCount || !plan_->latest_columns.empty()) {
      return std::make_unique<RecordWriter>(plan_);
    }
    return std::make_unique<CombineWriter>(plan_);
  }
  std::unique_ptr<KeyedOperator> MakeOperator() const override { return OperatorFor(plan_); }
  bool stateful() const override { return plan_->window.shape != WindowShape::kBatch; }
  int units() const override { return plan_->units; }
  std::string description() const override { return description_; }
  std::string state_shape() const override { return shape_; }
  WatermarkRule output_watermark() const override { return OutputWatermark(plan_->window); }
  bool output_has_event_time() const override {
    return plan_->window.timed() && plan_->window.event_time;
  }
  bool output_updating() const override { return plan_->window.updating(); }
  std::vector<std::string> update_key() const override {
    return plan_->window.updating() ? UpdateKey(plan_->window, plan_->key_names)
                                    : std::vector<std::string>{};
  }
  std::vector<FieldUse> uses(int) const override { return uses_; }
  bool passes_rows() const override { return false; }
  const std::vector<std::string>& key_names() const override { return plan_->key_names; }
  const std::vector<Type>& key_types() const override { return plan_->key_types; }
  // Whatever the step emits, `All` lets every open window leave in each batch; state is the same.
  std::unique_ptr<KeyedOperator> MakeReader() const override {
    if (!stateful()) return nullptr;
    auto plan = std::make_shared<AggregatePlan>(*plan_);
    plan->window.emit = api::Emit::kAll;
    return OperatorFor(std::move(plan));
  }

 private:
  static std::unique_ptr<KeyedOperator> OperatorFor(AggregatePlanRef plan) {
    if (plan->window.shape == WindowShape::kSession)
      return std::make_unique<SessionOperator>(std::move(plan));
    if (plan->window.shape == WindowShape::kCount)
      return std::make_unique<CountOperator>(std::move(plan));
    if (!plan->latest_columns.empty()) return std::make_unique<LatestOperator>(std::move(plan));
    return std::make_unique<SliceOperator>(std::move(plan));
  }
  static std::string Describe(const api::AggregateStep& spec) {
    std::string text = DescribeWindow(spec.window);
    if (!spec.key.empty()) text += " by " + Join(spec.key, ", ");
    if (!spec.latest_by.empty()) text += ", latest by " + Join(spec.latest_by, ", ");
    return text;
  }

  // Accumulators belong to their aggregate expressions and to the types of what they return.
  std::string Shape(const api::AggregateStep& spec) const {
    std::string text = "aggregate(" + description_;
    for (const auto& [name, value] : spec.values) text += "; " + name + " = " + value;
    return text + "; " + plan_->output_schema->ToString() + ")";
  }

  std::vector<FieldUse> Uses(const StepEnv& env) const {
    std::vector<FieldUse> uses;
    const auto add = [&uses](const ProgramRef& program) {
      if (program == nullptr) return;
      uses.insert(uses.end(), program->uses().begin(), program->uses().end());
    };
    const auto add_column = [&](int column) {
      if (column >= 0) uses.push_back({{env.input.schema[static_cast<size_t>(column)].name}});
    };
    for (const int column : plan_->key_columns) add_column(column);
    for (const int column : plan_->latest_columns) add_column(column);
    for (const CompiledCall& call : plan_->calls) {
      for (const ProgramRef& argument : call.arguments) add(argument);
      add(call.filter);
    }
    add(plan_->delete_when);
    if (!plan_->latest_columns.empty()) add_column(plan_->deleted_column);
    const bool timed = plan_->window.timed() && plan_->window.event_time;
    if (timed || plan_->order_column >= 0) add_column(plan_->window.time_column);
    return uses;
  }

  AggregatePlanRef plan_;
  std::string description_;
  std::string shape_;
  std::vector<FieldUse> uses_;
};

}  // namespace

std::unique_ptr<KeyedStep> MakeAggregateStep(const api::AggregateStep& spec, const StepEnv& env) {
  AggregatePlanRef plan = PlanBuilder(spec, env).Build();
  if (plan == nullptr) return nullptr;
  return std::make_unique<AggregateKeyedStep>(std::move(plan), spec, env);
}

}  // namespace millrace::worker
