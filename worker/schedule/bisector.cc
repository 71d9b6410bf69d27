#include <algorithm>

#include "worker/schedule/batch_runner.h"

namespace millrace::worker {
namespace {

// Counts the records of a range without decoding them.
class CountingConsumer final : public RecordConsumer {
 public:
  Status OnRaw(RawRecords records) override {
    count_ += static_cast<int64_t>(records.payloads.size());
    return OkStatus();
  }
  Status OnBatch(RecordBatch batch, int64_t) override {
    count_ += static_cast<int64_t>(batch.num_rows());
    return OkStatus();
  }
  int64_t count() const { return count_; }

 private:
  int64_t count_ = 0;
};

}  // namespace

Result<std::vector<Bisector::Part>> Bisector::CountParts(const BatchPlan& plan) const {
  std::vector<Part> parts;
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    for (const PlannedRange& range : plan.sources[i].ranges) {
      CountingConsumer consumer;
      RETURN_IF_ERROR(runner_->parts_->sources[i]->Read(
          {range.partition, range.from, range.to, range.proof, range.records}, &consumer));
      parts.push_back({static_cast<int>(i), range.partition, consumer.count()});
    }
  }
  return parts;
}

Status Bisector::Probe(const BatchPlan& plan, const std::vector<Part>& parts, int64_t records) {
  RETURN_IF_ERROR(runner_->Prepare(plan));
  const JobPlan& job = runner_->parts_->plan;
  for (const Part& part : parts) {
    job.inputs[part.source]->LimitRecords(part.partition, std::min(records, part.records));
    records -= std::min(records, part.records);
  }
  BatchRun run = runner_->executor_.Begin(runner_->ContextOf(plan));
  const Status status = runner_->executor_.RunStages(0, job.first_dead_letter_stage, &run);
  runner_->Undo(run);
  for (const Part& part : parts) job.inputs[part.source]->ClearLimits();
  return status;
}

Status Bisector::ExcludePoison(BatchPlan* plan) {
  ASSIGN_OR_RETURN(const std::vector<Part> parts, CountParts(*plan));
  int64_t total = 0;
  for (const Part& part : parts) total += part.records;
  while (true) {
    Status failure = Probe(*plan, parts, total);
    if (failure.ok()) return OkStatus();
    if (plan->exclusions.size() >= kMaxExclusions) {
      return InvalidError("batch " + std::to_string(plan->batch) + " has more than " +
                          std::to_string(kMaxExclusions) +
                          " poison records; the last: " + failure.message());
    }
    int64_t good = 0;  // the first `good` records succeed, the first `bad` fail
    int64_t bad = total;
    if (const Status empty = Probe(*plan, parts, 0); !empty.ok()) return empty;
    while (bad - good > 1) {
      const int64_t middle = good + (bad - good) / 2;
      const Status status = Probe(*plan, parts, middle);
      (status.ok() ? good : bad) = middle;
      if (!status.ok()) failure = status;
    }
    int64_t index = bad - 1;
    for (const Part& part : parts) {
      if (index < part.records) {
        plan->exclusions.push_back(
            {plan->sources[part.source].name, part.partition, index, failure.message()});
        break;
      }
      index -= part.records;
    }
  }
}

}  // namespace millrace::worker
