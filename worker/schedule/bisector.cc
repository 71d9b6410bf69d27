#include "worker/schedule/batch_runner.h"
#include "worker/schedule/poison.h"

namespace millrace::worker {

Result<std::vector<RangeRecords>> Bisector::CountRecords(const BatchPlan& plan) const {
  std::vector<RangeRecords> counts;
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    for (const PlannedRange& range : plan.sources[i].ranges) {
      ASSIGN_OR_RETURN(const int64_t records, CountRange(runner_->parts_->sources[i].get(), range));
      counts.push_back({static_cast<int>(i), range.partition, records});
    }
  }
  return counts;
}

Status Bisector::Probe(const BatchPlan& plan, const std::vector<RangeRecords>& limits) {
  RETURN_IF_ERROR(runner_->Prepare(plan));
  const JobPlan& job = runner_->parts_->plan;
  for (const RangeRecords& limit : limits)
    job.inputs[limit.source]->LimitRecords(limit.partition, limit.records);
  BatchRun run = runner_->executor_.Begin(runner_->ContextOf(plan));
  const Status status = runner_->executor_.RunStages(0, job.first_dead_letter_stage, &run);
  runner_->Undo(run);
  for (const RangeRecords& limit : limits) job.inputs[limit.source]->ClearLimits();
  return status;
}

Result<PoisonSearch> Bisector::Search(const BatchPlan& plan, const Status& failure) {
  PoisonSearch search(plan, failure);
  ASSIGN_OR_RETURN(const std::vector<RangeRecords> counts, CountRecords(plan));
  search.OnCounts(counts);
  while (search.running()) search.OnOutcome(Probe(search.plan(), search.Limits()));
  return search;
}

}  // namespace millrace::worker
