#include "worker/step/state_reader.h"

#include <algorithm>
#include <utility>

#include "worker/step/keyed_state.h"

namespace millrace::worker {
namespace {

bool IsScalar(const Type& type) {
  return type.is_binary() || type.is_int64() || type.is_numeric() || type.kind() == Kind::kBool;
}

class StateReader final : public KeyedOperator {
 public:
  explicit StateReader(const StatePlan& plan) : plan_(plan), state_(plan.init, 1) {
    Schema schema;
    for (size_t i = 0; i < plan.key.names.size(); ++i)
      schema.Set({plan.key.names[i], plan.key.types[i]});
    for (const Field& field : plan.state->fields()) {
      const bool taken = schema.Find(field.name) >= 0;
      schema.Set({taken ? "state." + field.name : field.name, field.type});
    }
    schema_ = std::make_shared<Schema>(std::move(schema));
  }

  Status Run(const std::vector<std::vector<RecordBatch>>& /*arrived*/, TaskRun* /*run*/,
             std::vector<RecordBatch>* out) override {
    std::vector<uint32_t> rows = state_.keys().SortedRows();
    std::erase_if(rows, [this](uint32_t row) { return !state_.IsPresent(row); });
    if (rows.empty()) return OkStatus();
    std::vector<std::string_view> keys;
    for (const uint32_t row : rows) keys.push_back(state_.keys().key(row));
    std::vector<ColumnRef> columns = DecodeKeys(keys, plan_.key.types);
    const RecordBatch states = state_.Read(rows);
    columns.insert(columns.end(), states.columns().begin(), states.columns().end());
    out->emplace_back(schema_, std::move(columns), rows.size());
    return OkStatus();
  }
  bool HasWork(const BatchContext& /*context*/) const override { return false; }
  void EncodeDelta(std::string* /*out*/) const override {}
  void EncodeSnapshot(std::string* /*out*/) const override {}
  Status Apply(std::string_view blob) override { return state_.Apply(blob); }
  void Settle() override { state_.Settle(); }
  int64_t keys() const override { return static_cast<int64_t>(state_.keys().size()); }
  int64_t bytes() const override { return state_.bytes(); }

 private:
  const StatePlan& plan_;
  KeyedState state_;
  SchemaRef schema_;
};

}  // namespace

std::unique_ptr<KeyedOperator> MakeStateReader(const StatePlan& plan) {
  const bool scalar = std::all_of(plan.key.types.begin(), plan.key.types.end(), IsScalar);
  return scalar ? std::make_unique<StateReader>(plan) : nullptr;
}

}  // namespace millrace::worker
