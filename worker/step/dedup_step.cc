#include <utility>

#include "crds/base/text.h"
#include "worker/step/column_tools.h"
#include "worker/step/dedup_state.h"
#include "worker/step/field_expressions.h"
#include "worker/step/keyed_plan.h"
#include "worker/step/step.h"
#include "worker/step/step_time.h"

namespace millrace::worker {
namespace {

struct DedupPlan {
  KeyPlan key;
  StepTime time;
  Duration within{0};
  SchemaRef schema;
  bool has_event_time = false;
};

class DedupOperator final : public KeyedOperator {
 public:
  explicit DedupOperator(const DedupPlan& plan)
      : plan_(plan), state_(plan.within.count()), keys_(plan.key.columns) {}

  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
             std::vector<RecordBatch>* out) override {
    for (const RecordBatch& batch : arrived[0]) {
      RecordBatch kept = KeepFirst(batch, run);
      if (kept.num_rows() > 0) out->push_back(std::move(kept));
    }
    state_.Expire(plan_.time.Now(*run->context));
    return OkStatus();
  }

  bool HasWork(const BatchContext& context) const override {
    return state_.HasExpired(plan_.time.Now(context));
  }
  void EncodeDelta(std::string* out) const override { state_.Encode(/*snapshot=*/false, out); }
  void EncodeSnapshot(std::string* out) const override { state_.Encode(/*snapshot=*/true, out); }
  Status Apply(std::string_view blob) override { return state_.Apply(blob); }
  void Settle() override { state_.Settle(); }
  int64_t keys() const override { return static_cast<int64_t>(state_.keys().size()); }
  int64_t bytes() const override { return state_.bytes(); }

 private:
  RecordBatch KeepFirst(const RecordBatch& batch, TaskRun* run) {
    std::vector<int64_t> times = plan_.time.TimesOf(batch, *run->context);
    // State older than the watermark is gone, so what is older cannot be judged.
    RecordBatch rows = WithoutLate(batch, plan_.time.LateBefore(*run->context), run, &times);
    keys_.Encode(rows);
    state_.keys().FindOrInsert(keys_.keys(), keys_.hashes(), &key_rows_);
    std::vector<uint32_t> keep;
    keep.reserve(times.size());
    for (size_t i = 0; i < times.size(); ++i) {
      if (state_.Keep(key_rows_[i], times[i])) keep.push_back(static_cast<uint32_t>(i));
    }
    return keep.size() == times.size() ? rows : rows.Gather(keep);
  }

  const DedupPlan& plan_;
  DedupState state_;
  EncodedKeys keys_;
  std::vector<uint32_t> key_rows_;
};

class DedupStep final : public KeyedStep {
 public:
  explicit DedupStep(DedupPlan plan) : plan_(std::move(plan)) {}

  const SchemaRef& output_schema() const override { return plan_.schema; }
  std::unique_ptr<ExchangeWriter> MakeWriter(int /*input*/) const override {
    return MakeRowWriter(plan_.key.columns, plan_.key.units);
  }
  std::unique_ptr<KeyedOperator> MakeOperator() const override {
    return std::make_unique<DedupOperator>(plan_);
  }
  bool stateful() const override { return true; }
  int units() const override { return plan_.key.units; }
  std::string description() const override {
    return "dedup by " + KeyText(plan_.key) + " within " + FormatDuration(plan_.within);
  }
  std::string state_shape() const override {
    return "dedup(" + KeyText(plan_.key) + "; " + TypesText(plan_.key.types) + "; " +
           FormatDuration(plan_.within) + " " + plan_.time.name() + ")";
  }
  WatermarkRule output_watermark() const override { return plan_.time.rule; }
  bool output_has_event_time() const override { return plan_.has_event_time; }
  std::vector<FieldUse> uses(int /*input*/) const override { return KeyUses(plan_.key); }
  bool passes_rows() const override { return true; }

 private:
  DedupPlan plan_;
};

}  // namespace

std::unique_ptr<KeyedStep> MakeDedupStep(const api::DedupStep& spec, const StepEnv& env) {
  const size_t before = env.diagnostics->size();
  RefuseSetNull(env);
  RefuseUpdating(env, env.input, env.path, "dedup");
  DedupPlan plan;
  ResolveKey(env, env.input.schema, spec.key, "key", &plan.key);
  ResolveTime(env, spec.time, &plan.time);
  if (spec.within <= Duration(0)) AddErrorOnce(env, env.path + ".within", "must be more than 0s");
  if (env.diagnostics->size() > before) return nullptr;
  plan.within = spec.within;
  plan.schema = std::make_shared<Schema>(env.input.schema);
  plan.has_event_time = env.input.has_event_time;
  return std::make_unique<DedupStep>(std::move(plan));
}

}  // namespace millrace::worker
