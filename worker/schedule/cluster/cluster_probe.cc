// Parts of a batch that fails, run to find the record that is to blame.
#include "worker/schedule/cluster/cluster_engine.h"
#include "worker/schedule/poison.h"

namespace millrace::worker {

Status ClusterEngine::CountRecords(const std::string& generation, const PlanEntry& entry,
                                   std::vector<RangeRecords>* counts) {
  const std::stop_token stop = StopOfWork();
  if (generation != generation_.name || stop.stop_requested())
    return AbortedError("the generation ended");
  ASSIGN_OR_RETURN(const BatchPlan plan, DecodePlan(entry.bytes));
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    const int source = static_cast<int>(i);
    for (const PlannedRange& range : plan.sources[i].ranges) {
      if (OwnerOfInput(generation_, source, range.partition) != slot_) continue;
      ASSIGN_OR_RETURN(const int64_t records, CountRange(parts_->sources[i].get(), range));
      counts->push_back({source, range.partition, records});
    }
  }
  return OkStatus();
}

Status ClusterEngine::Probe(const std::string& generation, const PlanEntry& entry,
                            const std::vector<RangeRecords>& limits) {
  const std::stop_token stop = StopOfWork();
  if (generation != generation_.name || stop.stop_requested())
    return AbortedError("the generation ended");
  ASSIGN_OR_RETURN(const BatchPlan plan, DecodePlan(entry.bytes));
  RETURN_IF_ERROR(Prepare(plan));
  const auto input = [&](const RangeRecords& limit) { return parts_->plan.inputs[limit.source]; };
  for (const RangeRecords& limit : limits)
    input(limit)->LimitRecords(limit.partition, limit.records);
  const std::unique_ptr<ExchangePort> port = ports_->Open(entry.batch, stop);
  BatchRun run = executor_.Begin(ContextOf(plan), port.get());
  const Status status = executor_.RunStages(0, parts_->plan.first_dead_letter_stage, &run);
  for (const RangeRecords& limit : limits) input(limit)->ClearLimits();
  return status;
}

}  // namespace millrace::worker
