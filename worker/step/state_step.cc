#include <utility>

#include "crds/base/text.h"
#include "worker/step/state_operator.h"
#include "worker/step/state_plan.h"
#include "worker/step/state_reader.h"

namespace millrace::worker {
namespace {

class StateStep final : public KeyedStep, public ReadableStep {
 public:
  explicit StateStep(StatePlan plan) : plan_(std::move(plan)) {}

  const SchemaRef& output_schema() const override { return plan_.schema; }
  std::unique_ptr<ExchangeWriter> MakeWriter(int /*input*/) const override {
    return MakeRowWriter(plan_.key.columns, plan_.key.units);
  }
  std::unique_ptr<KeyedOperator> MakeOperator() const override {
    return std::make_unique<StateOperator>(plan_);
  }
  bool stateful() const override { return true; }
  bool runs_at_first_start() const override { return !plan_.initial.empty(); }
  int units() const override { return plan_.key.units; }
  std::string description() const override {
    std::string text = "state by " + KeyText(plan_.key);
    if (plan_.idle) text += ", idle " + FormatDuration(Duration(*plan_.idle));
    if (plan_.timeout_at != nullptr) text += ", with timeout";
    return text;
  }
  std::string state_shape() const override {
    std::string text = "state(" + KeyText(plan_.key) + "; " + TypesText(plan_.key.types) + "; " +
                       plan_.state->ToString();
    if (plan_.has_timeout()) text += "; " + std::string(plan_.time.name());
    return text + ")";
  }
  WatermarkRule output_watermark() const override {
    WatermarkRule rule = plan_.input_watermark;
    rule.cascaded |= plan_.has_on_timeout && plan_.time.event;
    return rule;
  }
  bool output_has_event_time() const override { return plan_.has_event_time; }
  std::vector<FieldUse> uses(int /*input*/) const override {
    std::vector<FieldUse> uses = KeyUses(plan_.key);
    const std::vector<FieldUse> read = plan_.uses();
    uses.insert(uses.end(), read.begin(), read.end());
    return uses;
  }
  // Also with output.fields: hidden fields are kept.
  bool passes_rows() const override { return true; }
  const std::vector<std::string>& key_names() const override { return plan_.key.names; }
  const std::vector<Type>& key_types() const override { return plan_.key.types; }
  std::unique_ptr<KeyedOperator> MakeReader() const override { return MakeStateReader(plan_); }

 private:
  StatePlan plan_;
};

}  // namespace

std::unique_ptr<KeyedStep> MakeStateStep(const api::StateStep& spec, const StepEnv& env) {
  const bool refused = env.on_error == api::ErrorPolicy::kSetNull || env.input.updating;
  RefuseSetNull(env);
  RefuseUpdating(env, env.input, env.path, "state");
  StatePlan plan;
  if (!PlanState(spec, env, &plan) || refused) return nullptr;
  return std::make_unique<StateStep>(std::move(plan));
}

}  // namespace millrace::worker
