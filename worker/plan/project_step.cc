#include "worker/plan/project_step.h"

#include <utility>

namespace millrace::worker {
namespace {

class ProjectStep final : public NarrowStep {
 public:
  explicit ProjectStep(SchemaRef target) : target_(std::move(target)) {}
  const SchemaRef& output_schema() const override { return target_; }
  std::vector<FieldUse> uses() const override { return {}; }
  Result<RecordBatch> Apply(const RecordBatch& in, TaskRun*) const override {
    std::vector<ColumnRef> columns;
    for (const Field& field : target_->fields())
      columns.push_back(in.column_ref(in.schema().Find(field.name)));
    return RecordBatch(target_, std::move(columns), in.num_rows());
  }

 private:
  SchemaRef target_;
};

}  // namespace

std::unique_ptr<NarrowStep> MakeProjectStep(SchemaRef target) {
  return std::make_unique<ProjectStep>(std::move(target));
}

}  // namespace millrace::worker
