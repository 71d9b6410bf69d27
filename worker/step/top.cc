#include <algorithm>

#include "crds/base/text.h"
#include "worker/step/aggregate_state.h"
#include "worker/step/step.h"
#include "worker/step/top_operator.h"

namespace millrace::worker {
namespace {

constexpr int64_t kMaxLimit = 100'000;

bool IsOrdered(Kind kind) { return kind <= Kind::kDuration; }

// Reads the step's spec into a TopPlan; every error goes to the diagnostics.
class TopPlanBuilder {
 public:
  TopPlanBuilder(const api::TopStep& spec, const StepEnv& env)
      : spec_(spec), env_(env), plan_(std::make_shared<TopPlan>()) {}

  TopPlanRef Build() {
    const size_t before = env_.diagnostics->size();
    plan_->origin = env_.origin;
    plan_->on_error = env_.on_error;
    PlanWindow(env_, spec_.window, spec_.time, spec_.emit, spec_.on_late, &plan_->window);
    CheckWindow();
    ResolveKeys();
    if (spec_.limit < 1 || spec_.limit > kMaxLimit) {
      Refuse("limit", "must be from 1 to " + std::to_string(kMaxLimit));
    }
    plan_->order.limit = static_cast<size_t>(std::max<int64_t>(1, spec_.limit));
    plan_->order.ties = spec_.ties;
    std::vector<Field> row{{"seq", Type(Kind::kInt)}};
    CompileOrder(&row);
    SetSchemas(std::move(row));
    const bool failed = std::any_of(
        env_.diagnostics->begin() + static_cast<std::ptrdiff_t>(before), env_.diagnostics->end(),
        [](const api::Diagnostic& diagnostic) { return !diagnostic.warning; });
    return failed ? nullptr : plan_;
  }

 private:
  void Refuse(const std::string& member, std::string message) {
    api::AddError(env_.diagnostics, env_.path + "." + member, std::move(message));
  }

  void CheckWindow() {
    const WindowShape shape = plan_->window.shape;
    if (shape == WindowShape::kSession || shape == WindowShape::kCount) {
      Refuse("window", "top takes batch, global, tumbling or sliding windows");
    }
    if (env_.input.updating && shape != WindowShape::kBatch) {
      api::AddError(env_.diagnostics, env_.path,
                    "this stream updates its rows, which would be ranked several times: use "
                    "window: {batch: {}}");
    }
  }

  void ResolveKeys() {
    plan_->key_columns = ResolveFields(env_, env_.input.schema, spec_.key, "key");
    for (const int column : plan_->key_columns) {
      const Field& field = env_.input.schema[static_cast<size_t>(column)];
      if (!IsOrdered(field.type.kind())) {
        Refuse("key", "field \"" + field.name + "\" is " + field.type.ToString() +
                          "; a key is a scalar: make one in a set step");
      }
      plan_->key_types.push_back(field.type);
      plan_->key_names.push_back(field.name);
    }
    plan_->units = plan_->key_columns.empty() ? 1 : env_.groups;
  }

  void CompileOrder(std::vector<Field>* row) {
    if (spec_.order_by.empty()) Refuse("orderBy", "top needs at least one value to order by");
    for (size_t i = 0; i < spec_.order_by.size(); ++i) {
      const api::OrderBy& order = spec_.order_by[i];
      const std::string member = "orderBy[" + std::to_string(i) + "].value";
      ProgramRef program =
          CompileExpression(env_, InputNames(env_), order.value, env_.path + "." + member);
      if (program == nullptr) continue;
      if (!IsOrdered(program->type().kind())) {
        Refuse(member, "takes an ordered type, found " + program->type().ToString());
      }
      row->push_back({"order" + std::to_string(i), program->type()});
      plan_->order.descending.push_back(
          order.direction == api::OrderBy::Direction::kDescending ? 1 : 0);
      plan_->order_programs.push_back(std::move(program));
    }
  }

  // Records leave with their visible fields, the window, rank, and hidden fields of their own.
  void SetSchemas(std::vector<Field> row) {
    Schema output;
    for (size_t i = 0; i < env_.input.schema.size(); ++i) {
      const Field& field = env_.input.schema[i];
      if (Schema::IsHidden(field.name)) continue;
      plan_->field_columns.push_back(static_cast<int>(i));
      row.push_back({"f." + field.name, field.type});
      output.Set(field);
    }
    std::vector<Field> added;
    if (plan_->window.timed()) {
      added.push_back({"windowStart", Type(Kind::kTimestamp)});
      added.push_back({"windowEnd", Type(Kind::kTimestamp)});
    }
    added.push_back({"rank", Type(Kind::kInt)});
    for (Field& field : added) {
      if (output.Find(field.name) >= 0) {
        Refuse("window",
               "top adds \"" + field.name + "\", which the record has already: rename it first");
      }
      output.Set(std::move(field));
    }
    AddHiddenFields(plan_->window, &output);
    if (plan_->window.updating()) {
      output.Set({std::string(kPlaceField), Type(Kind::kInt)});
      output.Set({std::string(kDeletedField), Type(Kind::kBool)});
    }
    plan_->order.row_schema = std::make_shared<Schema>(row);
    plan_->wire_schema =
        MakeSchema({{"slice", Type(Kind::kInt)}, {"key", Type(Kind::kBytes)}}, row);
    plan_->output_schema = std::make_shared<Schema>(std::move(output));
  }

  const api::TopStep& spec_;
  const StepEnv& env_;
  std::shared_ptr<TopPlan> plan_;
};

class TopKeyedStep final : public KeyedStep {
 public:
  TopKeyedStep(TopPlanRef plan, const api::TopStep& spec, const StepEnv& env)
      : plan_(std::move(plan)) {
    description_ = "top " + std::to_string(spec.limit) + ", " + DescribeWindow(spec.window);
    if (!spec.key.empty()) description_ += " by " + Join(spec.key, ", ");
    for (const ProgramRef& program : plan_->order_programs) {
      uses_.insert(uses_.end(), program->uses().begin(), program->uses().end());
    }
    for (const std::string& name : spec.key) uses_.push_back({{name}});
    if (plan_->window.timed() && plan_->window.event_time) {
      uses_.push_back({{env.input.schema[static_cast<size_t>(plan_->window.time_column)].name}});
    }
  }

  const SchemaRef& output_schema() const override { return plan_->output_schema; }
  std::unique_ptr<ExchangeWriter> MakeWriter(int) const override {
    return std::make_unique<TopWriter>(plan_);
  }
  std::unique_ptr<KeyedOperator> MakeOperator() const override {
    return std::make_unique<TopOperator>(plan_);
  }
  bool stateful() const override {
    return plan_->window.shape != WindowShape::kBatch || plan_->replaces_batches();
  }
  int units() const override { return plan_->units; }
  std::string description() const override { return description_; }
  std::string state_shape() const override {
    return "top(" + description_ + "; " + plan_->wire_schema->ToString() + ")";
  }
  WatermarkRule output_watermark() const override { return OutputWatermark(plan_->window); }
  bool output_has_event_time() const override {
    return plan_->window.timed() && plan_->window.event_time;
  }
  bool output_updating() const override { return plan_->window.updating(); }
  std::vector<std::string> update_key() const override {
    if (!plan_->window.updating()) return {};
    std::vector<std::string> key = UpdateKey(plan_->window, plan_->key_names);
    key.emplace_back(kPlaceField);
    return key;
  }
  std::vector<FieldUse> uses(int) const override { return uses_; }
  bool passes_rows() const override { return true; }

 private:
  TopPlanRef plan_;
  std::string description_;
  std::vector<FieldUse> uses_;
};

}  // namespace

std::unique_ptr<KeyedStep> MakeTopStep(const api::TopStep& spec, const StepEnv& env) {
  TopPlanRef plan = TopPlanBuilder(spec, env).Build();
  if (plan == nullptr) return nullptr;
  return std::make_unique<TopKeyedStep>(std::move(plan), spec, env);
}

}  // namespace millrace::worker
