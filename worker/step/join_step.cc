#include <utility>

#include "crds/base/text.h"
#include "worker/step/field_expressions.h"
#include "worker/step/join_operator.h"
#include "worker/step/join_plan.h"

namespace millrace::worker {
namespace {

class JoinStep final : public KeyedStep {
 public:
  explicit JoinStep(JoinPlan plan, std::string window, std::string with)
      : plan_(std::move(plan)), window_(std::move(window)), with_(std::move(with)) {}

  const SchemaRef& output_schema() const override { return plan_.schema; }
  int num_inputs() const override { return 2; }
  std::unique_ptr<ExchangeWriter> MakeWriter(int input) const override {
    return MakeRowWriter(EncodedKeys(plan_.keys[input].columns, plan_.key_types),
                         plan_.keys[0].units);
  }
  std::unique_ptr<KeyedOperator> MakeOperator() const override { return MakeJoinOperator(plan_); }
  bool stateful() const override { return plan_.stateful(); }
  int units() const override { return plan_.keys[0].units; }
  std::string description() const override {
    return "join with " + with_ + " by " + KeyText(plan_.keys[0]) + ", " + window_;
  }
  std::string state_shape() const override {
    return "join(" + KeyText(plan_.keys[0]) + " = " + KeyText(plan_.keys[1]) + "; " +
           TypesText(plan_.key_types) + "; " + window_ + " " + plan_.time[0].name() + "; " +
           plan_.inputs[0].ToString() + "; " + plan_.inputs[1].ToString() + ")";
  }
  WatermarkRule output_watermark() const override { return plan_.OutputWatermark(); }
  bool output_has_event_time() const override { return plan_.output_event_time; }
  std::vector<FieldUse> uses(int input) const override { return KeyUses(plan_.keys[input]); }
  bool passes_rows() const override { return true; }

 private:
  JoinPlan plan_;
  std::string window_;
  std::string with_;
};

std::string WindowText(const JoinPlan& plan) {
  switch (plan.window) {
    case JoinWindow::kBatch:
      return "batch";
    case JoinWindow::kGlobal:
      return plan.ttl ? "global, ttl " + FormatDuration(Duration(*plan.ttl)) : "global";
    case JoinWindow::kTumbling:
      return "tumbling " + FormatDuration(Duration(plan.length));
    case JoinWindow::kInterval:
      return "interval -" + FormatDuration(Duration(plan.before)) + " to +" +
             FormatDuration(Duration(plan.after));
  }
  return "";
}

}  // namespace

std::unique_ptr<KeyedStep> MakeJoinStep(const api::JoinStep& spec, const StepEnv& env) {
  const bool refused =
      env.on_error == api::ErrorPolicy::kSetNull || env.input.updating || env.other.updating;
  RefuseSetNull(env);
  RefuseUpdating(env, env.input, env.path, "join");
  RefuseUpdating(env, env.other, env.path + ".with", "join");
  JoinPlan plan;
  if (!PlanJoin(spec, env, &plan) || refused) return nullptr;
  std::string window = WindowText(plan);
  return std::make_unique<JoinStep>(std::move(plan), std::move(window), spec.with);
}

}  // namespace millrace::worker
