#include <utility>

#include "worker/step/field_expressions.h"
#include "worker/step/keyed_plan.h"
#include "worker/step/step.h"

namespace millrace::worker {
namespace {

// Deals rows out in turn: row i of a task goes to unit (first + i) modulo `units`, where `first`
// depends on the task's own unit only, so that a replay deals alike and small batches of many tasks
// do not all meet in unit 0.
class DealingWriter final : public ExchangeWriter {
 public:
  explicit DealingWriter(int units) : units_(units) {}

  Status Add(const RecordBatch& batch, TaskRun* /*run*/) override {
    if (batch.num_rows() > 0) parts_.push_back(batch);
    return OkStatus();
  }

  Status Finish(TaskRun* run, const SendFn& send) override {
    if (parts_.empty()) return OkStatus();
    const RecordBatch rows = parts_.size() == 1 ? parts_.front() : Concat(parts_);
    const size_t first = static_cast<size_t>(run->unit) % static_cast<size_t>(units_);
    for (int unit = 0; unit < units_; ++unit) {
      std::vector<uint32_t> dealt;
      size_t row = (static_cast<size_t>(unit) + static_cast<size_t>(units_) - first) %
                   static_cast<size_t>(units_);
      for (; row < rows.num_rows(); row += units_) dealt.push_back(static_cast<uint32_t>(row));
      if (!dealt.empty()) send(unit, rows.Gather(dealt));
    }
    parts_.clear();
    return OkStatus();
  }

 private:
  int units_;
  std::vector<RecordBatch> parts_;
};

// Hands on what arrives.
class PassOperator final : public KeyedOperator {
 public:
  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* /*run*/,
             std::vector<RecordBatch>* out) override {
    out->insert(out->end(), arrived[0].begin(), arrived[0].end());
    return OkStatus();
  }
  bool HasWork(const BatchContext& /*context*/) const override { return false; }
  void EncodeDelta(std::string* /*out*/) const override {}
  void EncodeSnapshot(std::string* /*out*/) const override {}
  Status Apply(std::string_view /*blob*/) override {
    return InternalError("repartition keeps no state, yet some was stored for it");
  }
  void Settle() override {}
  int64_t keys() const override { return 0; }
  int64_t bytes() const override { return 0; }
};

class RepartitionStep final : public KeyedStep {
 public:
  RepartitionStep(const StepEnv& env, KeyPlan key, int units)
      : key_(std::move(key)),
        units_(units),
        schema_(std::make_shared<Schema>(env.input.schema)),
        input_(env.input) {}

  const SchemaRef& output_schema() const override { return schema_; }
  std::unique_ptr<ExchangeWriter> MakeWriter(int /*input*/) const override {
    if (key_.columns.empty()) return std::make_unique<DealingWriter>(units_);
    return MakeRowWriter(key_.columns, units_);
  }
  std::unique_ptr<KeyedOperator> MakeOperator() const override {
    return std::make_unique<PassOperator>();
  }
  bool stateful() const override { return false; }
  int units() const override { return units_; }
  std::string description() const override {
    if (!key_.columns.empty()) return "repartition by " + KeyText(key_);
    return "repartition into " + std::to_string(units_);
  }
  WatermarkRule output_watermark() const override { return input_.watermark; }
  bool output_has_event_time() const override { return input_.has_event_time; }
  std::vector<FieldUse> uses(int /*input*/) const override { return KeyUses(key_); }
  bool passes_rows() const override { return true; }

 private:
  KeyPlan key_;
  int units_;
  SchemaRef schema_;
  StepInput input_;
};

constexpr int kMaxPartitions = 4096;

}  // namespace

std::unique_ptr<KeyedStep> MakeRepartitionStep(const api::RepartitionStep& spec,
                                               const StepEnv& env) {
  const size_t before = env.diagnostics->size();
  RefuseSetNull(env);
  if (env.input.updating) {
    AddErrorOnce(env, env.path,
                 "repartition cannot follow an updating stream: versions of a row could overtake "
                 "each other");
  }
  KeyPlan key;
  ResolveKey(env, env.input.schema, spec.key, "key", &key);
  if (spec.key.empty() == !spec.partitions.has_value()) {
    AddErrorOnce(env, env.path, "repartition needs one of key, partitions");
  } else if (spec.partitions && (*spec.partitions < 1 || *spec.partitions > kMaxPartitions)) {
    AddErrorOnce(env, env.path + ".partitions", "must be 1 to " + std::to_string(kMaxPartitions));
  }
  if (env.diagnostics->size() > before) return nullptr;
  return std::make_unique<RepartitionStep>(env, std::move(key),
                                           spec.partitions.value_or(env.groups));
}

}  // namespace millrace::worker
