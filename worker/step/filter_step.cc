#include <cstring>
#include <utility>

#include "worker/step/field_expressions.h"
#include "worker/step/step.h"

// filter and sample: steps that only leave records out.
namespace millrace::worker {
namespace {

class FilterStep final : public NarrowStep {
 public:
  FilterStep(const StepEnv& env, ProgramRef condition)
      : origin_(env.origin),
        on_error_(env.on_error),
        condition_(std::move(condition)),
        schema_(std::make_shared<Schema>(NeededPart(env, env.input.schema))) {}

  const SchemaRef& output_schema() const override { return schema_; }
  std::vector<FieldUse> uses() const override { return condition_->uses(); }

  Result<RecordBatch> Apply(const RecordBatch& in, TaskRun* run) const override {
    std::vector<uint32_t> rows;
    std::vector<BadRecord> errors;
    condition_->Select(in, run->table_lists, &rows, &errors);
    std::vector<uint32_t> keep;
    bool all = true;
    RETURN_IF_ERROR(HandleRowErrors(on_error_, origin_, in, std::move(errors), run, &keep, &all));
    const RecordBatch kept = Project(in, schema_);
    return rows.size() == in.num_rows() ? kept : kept.Gather(rows);
  }

 private:
  std::string origin_;
  api::ErrorPolicy on_error_;
  ProgramRef condition_;
  SchemaRef schema_;
};

// Keeps a record when hash(seed, source position) lies in the lower `fraction` of all hashes.
class SampleStep final : public NarrowStep {
 public:
  SampleStep(const api::SampleStep& spec, const StepEnv& env)
      : fraction_(spec.fraction),
        seed_(spec.seed),
        schema_(std::make_shared<Schema>(NeededPart(env, env.input.schema))) {}

  const SchemaRef& output_schema() const override { return schema_; }
  std::vector<FieldUse> uses() const override { return {{{std::string(kPositionField)}, false}}; }

  Result<RecordBatch> Apply(const RecordBatch& in, TaskRun* /*run*/) const override {
    const Column& positions = *in.Find(kPositionField);
    std::vector<uint32_t> rows;
    for (size_t row = 0; row < in.num_rows(); ++row) {
      if (Fraction(positions.uints[row]) < fraction_) rows.push_back(static_cast<uint32_t>(row));
    }
    const RecordBatch kept = Project(in, schema_);
    return rows.size() == in.num_rows() ? kept : kept.Gather(rows);
  }

 private:
  double Fraction(uint64_t position) const {
    char bytes[sizeof seed_ + sizeof position];
    std::memcpy(bytes, &seed_, sizeof seed_);
    std::memcpy(bytes + sizeof seed_, &position, sizeof position);
    // The upper 53 bits, which a double holds exactly.
    return static_cast<double>(HashKey({bytes, sizeof bytes}) >> 11) * 0x1p-53;
  }

  double fraction_;
  int64_t seed_;
  SchemaRef schema_;
};

}  // namespace

std::unique_ptr<NarrowStep> MakeFilterStep(const api::FilterStep& spec, const StepEnv& env) {
  RefuseSetNull(env);
  const Type expected(Kind::kBool, true);
  ProgramRef condition =
      CompileExpression(env, InputNames(env), spec.condition, env.path, &expected);
  if (condition == nullptr || env.on_error == api::ErrorPolicy::kSetNull) return nullptr;
  return std::make_unique<FilterStep>(env, std::move(condition));
}

std::unique_ptr<NarrowStep> MakeSampleStep(const api::SampleStep& spec, const StepEnv& env) {
  if (!(spec.fraction >= 0 && spec.fraction <= 1)) {
    AddErrorOnce(env, env.path + ".fraction", "fraction must lie between 0 and 1");
    return nullptr;
  }
  if (env.input.schema.Find(kPositionField) < 0) {
    api::AddError(env.diagnostics, env.path,
                  "sample decides by source position, which records behind an aggregate or top no "
                  "longer have; put it in front of them");
    return nullptr;
  }
  return std::make_unique<SampleStep>(spec, env);
}

}  // namespace millrace::worker
