#include "worker/step/step.h"

#include <algorithm>
#include <utility>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

// The first error of each row, ascending by row.
void KeepFirstPerRow(std::vector<BadRecord>* errors) {
  std::stable_sort(errors->begin(), errors->end(),
                   [](const BadRecord& a, const BadRecord& b) { return a.row < b.row; });
  const auto same_row = [](const BadRecord& a, const BadRecord& b) { return a.row == b.row; };
  errors->erase(std::unique(errors->begin(), errors->end(), same_row), errors->end());
}

void FillOtherRows(size_t num_rows, const std::vector<BadRecord>& errors,
                   std::vector<uint32_t>* keep) {
  keep->clear();
  keep->reserve(num_rows - errors.size());
  auto next = errors.begin();
  for (size_t row = 0; row < num_rows; ++row) {
    if (next != errors.end() && next->row == row) {
      ++next;
    } else {
      keep->push_back(static_cast<uint32_t>(row));
    }
  }
}

TimePoint Minimum(const WatermarkRule& rule, const std::vector<TimePoint>& watermarks) {
  TimePoint result = TimePoint::max();
  for (const int source : rule.sources) {
    const bool known = static_cast<size_t>(source) < watermarks.size();
    result = std::min(result, known ? watermarks[source] : TimePoint::min());
  }
  if (rule.sources.empty()) return TimePoint::min();
  if (result == TimePoint::max()) return result;
  return result < TimePoint::min() + rule.hold_back ? TimePoint::min() : result - rule.hold_back;
}

}  // namespace

Status HandleRowErrors(api::ErrorPolicy policy, const std::string& origin, const RecordBatch& batch,
                       std::vector<BadRecord> errors, TaskRun* run, std::vector<uint32_t>* keep,
                       bool* all) {
  *all = true;
  if (errors.empty() || policy == api::ErrorPolicy::kSetNull) return OkStatus();
  KeepFirstPerRow(&errors);
  if (policy == api::ErrorPolicy::kFail) {
    return InvalidError(origin + ": " + errors.front().message);
  }
  *all = false;
  run->report->bad_records += static_cast<int64_t>(errors.size());
  if (policy == api::ErrorPolicy::kDeadLetter) {
    for (const BadRecord& error : errors) {
      run->dead_letters->AddRow(origin, "Expression", error.message, batch, error.row);
    }
  }
  FillOtherRows(batch.num_rows(), errors, keep);
  return OkStatus();
}

TimePoint EventWatermark(const WatermarkRule& rule, const BatchContext& context) {
  return context.final ? TimePoint::max() : Minimum(rule, context.watermarks);
}

TimePoint PreviousEventWatermark(const WatermarkRule& rule, const BatchContext& context) {
  return Minimum(rule, context.previous_watermarks);
}

// Sources that ended say nothing about the records of their last batch, so that batch is judged
// like the one before it.
TimePoint LateBound(const WatermarkRule& rule, const BatchContext& context) {
  const bool previous = rule.cascaded || context.final;
  return Minimum(rule, previous ? context.previous_watermarks : context.watermarks);
}

TimePoint ProcessingTime(const BatchContext& context) { return context.batch_time - Duration(1); }

ProgramRef CompileExpression(const StepEnv& env, const ExprEnv& names, const std::string& text,
                             const std::string& path, const Type* expected) {
  std::vector<ExprError> errors;
  Result<ProgramRef> program = Program::Compile(text, names, &errors, expected);
  if (program.ok()) return *std::move(program);
  for (const ExprError& error : errors) {
    api::AddError(env.diagnostics, path, error.message, error.offset);
  }
  if (errors.empty()) api::AddError(env.diagnostics, path, program.status().message());
  return nullptr;
}

// __position is for the engine's own use.
ExprEnv InputNames(const StepEnv& env) {
  std::vector<Field> fields = env.input.schema.fields();
  std::erase_if(fields, [](const Field& field) { return field.name == kPositionField; });
  return {Schema(std::move(fields)), env.tables};
}

std::vector<int> ResolveFields(const StepEnv& env, const Schema& schema,
                               const std::vector<std::string>& names, const std::string& member) {
  std::vector<int> columns;
  for (size_t i = 0; i < names.size(); ++i) {
    const int column = schema.Find(names[i]);
    if (column >= 0 && names[i] != kPositionField) {
      columns.push_back(column);
      continue;
    }
    const std::vector<std::string> known = schema.VisibleNames();
    std::string message =
        "no field \"" + names[i] + "\" in this record; it has: " + Join(known, ", ") + ".";
    if (const auto near = ClosestName(names[i], known)) {
      message += " Did you mean \"" + *near + "\"?";
    }
    std::string base = env.path;
    if (!base.empty() && !member.empty()) base += ".";
    base += member;
    api::AddError(env.diagnostics, base + "[" + std::to_string(i) + "]", std::move(message));
  }
  return columns;
}

}  // namespace millrace::worker
