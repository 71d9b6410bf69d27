#include "worker/runtime/state/job_view.h"

#include <utility>

#include "worker/coordination/redis/blob_format.h"
#include "worker/schedule/cluster/cluster_plan_maker.h"

namespace millrace::worker {
namespace {

constexpr int kAttempts = 10;  // reports of a batch are gone once the next one has committed

std::string NameOf(const std::string& base) {
  const size_t open = base.find('{');
  return open == std::string::npos ? base : base.substr(open + 1, base.size() - open - 2);
}

Status ErrorOf(const StoreReply& reply, const std::string& base) {
  if (reply.code != StoreCode::kLost)
    return UnavailableError("read job " + base + ": " + reply.detail);
  return reply.detail.empty() ? NotFoundError("no job " + base + " in this Redis")
                              : InternalError("read job " + base + ": " + reply.detail);
}

std::map<std::string, StageSize> SizesOf(const Heads& heads) {
  std::map<std::string, StageSize> stages;
  for (const auto& [key, head] : heads) {
    StageSize& stage = stages[key.first];
    ++stage.units;
    stage.snapshots += head.snapshot_bytes > 0 ? 1 : 0;
    stage.deltas += head.deltas;
    stage.bytes += head.delta_bytes + head.snapshot_bytes;
  }
  return stages;
}

Status FillIn(const JobFacts& facts, const StoreReply& offsets, const StoreReply& reports,
              JobView* view) {
  view->facts = facts;
  ASSIGN_OR_RETURN(view->commit, CommitPointOf(facts.commit, offsets.fields));
  Heads heads;
  for (const auto& [slot, report] : reports.fields) RETURN_IF_ERROR(DecodeHeads(report, &heads));
  view->stages = SizesOf(heads);
  view->plans.clear();
  for (const PlanEntry& entry : facts.plans) {
    ASSIGN_OR_RETURN(BatchPlan plan, DecodePlan(entry.bytes));
    view->plans.push_back(std::move(plan));
  }
  return OkStatus();
}

}  // namespace

int64_t JobView::bytes() const {
  int64_t sum = 0;
  for (const auto& [id, stage] : stages) sum += stage.bytes;
  return sum;
}

Result<JobView> ReadJobView(JobStore* store, const std::string& base) {
  JobView view;
  view.name = NameOf(base);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const StoreReply job = store->Call(ReadJob{});
    if (!job.ok()) return ErrorOf(job, base);
    const CommitHead& commit = job.facts->commit;
    const StoreReply offsets = store->Call(ReadOffsets{});
    if (!offsets.ok()) return ErrorOf(offsets, base);
    StoreReply reports;
    if (commit.batch > 0) reports = store->Call(ReadReports{commit.generation, commit.batch});
    if (reports.code == StoreCode::kRefused) continue;
    if (!reports.ok()) return ErrorOf(reports, base);
    RETURN_IF_ERROR(FillIn(*job.facts, offsets, reports, &view).WithContext("job " + base));
    return view;
  }
  return UnavailableError("job " + base + " commits faster than it can be read; try again");
}

}  // namespace millrace::worker
