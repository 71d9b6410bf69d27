#include "worker/exec/executor.h"

#include <chrono>
#include <utility>

#include "crds/base/failpoint.h"

namespace millrace::worker {
namespace {

struct Sending {
  int edge;
  int unit;
  ChunkRef chunk;
};

class CollectingOutput final : public TaskOutput {
 public:
  void Send(int edge, int unit, ChunkRef chunk) override { sendings.push_back({edge, unit, std::move(chunk)}); }
  void Deliver(int end, ChunkRef chunk) override { delivered.emplace_back(end, std::move(chunk)); }
  TaskReport& report() override { return task_report; }

  std::vector<Sending> sendings;
  std::vector<std::pair<int, ChunkRef>> delivered;
  TaskReport task_report;
};

void AddTo(const TaskReport& from, TaskReport* to) {
  to->input_records += from.input_records;
  to->input_bytes += from.input_bytes;
  to->output_records += from.output_records;
  to->late_records += from.late_records;
  to->expired_keys += from.expired_keys;
  to->bad_records += from.bad_records;
  to->max_event_time = std::max(to->max_event_time, from.max_event_time);
}

// Takes a finished task's results into the run. Called for one stage's units in ascending order.
void Route(int stage, int unit, CollectingOutput& output, BatchRun* run) {
  for (Sending& sending : output.sendings) {
    run->arrived[sending.edge][sending.unit].push_back(std::move(sending.chunk));
  }
  for (auto& [end, chunk] : output.delivered) {
    std::vector<EndPart>& parts = run->ends[end];
    if (parts.empty() || parts.back().stage != stage || parts.back().unit != unit) {
      parts.push_back({stage, unit, {}});
    }
    parts.back().chunks.push_back(std::move(chunk));
  }
  run->reports[stage][unit] = output.task_report;
  AddTo(output.task_report, &run->stages[stage].total);
}

std::vector<Inbox> TakeInboxes(const StageSpec& stage, int unit, BatchRun* run) {
  std::vector<Inbox> inboxes;
  for (const int edge : stage.input_edges) {
    inboxes.push_back({edge, std::move(run->arrived[edge][unit])});
  }
  return inboxes;
}

bool Arrived(const StageSpec& stage, int unit, const BatchRun& run) {
  for (const int edge : stage.input_edges) {
    if (!run.arrived[edge][unit].empty()) return true;
  }
  return false;
}

}  // namespace

BatchRun BatchExecutor::Begin(BatchContext context) const {
  BatchRun run;
  run.context = std::move(context);
  run.arrived.resize(graph_->edges.size());
  for (size_t edge = 0; edge < graph_->edges.size(); ++edge) {
    run.arrived[edge].resize(graph_->stages[graph_->edges[edge].target_stage].units);
  }
  run.ends.resize(graph_->ends);
  run.reports.resize(graph_->stages.size());
  run.stages.resize(graph_->stages.size());
  run.ran.resize(graph_->stages.size());
  return run;
}

Status BatchExecutor::RunStages(int first, int last, BatchRun* run) {
  for (int stage = first; stage < last; ++stage) RETURN_IF_ERROR(RunStage(stage, run));
  return OkStatus();
}

Status BatchExecutor::RunStage(int stage, BatchRun* run) {
  const auto begin = std::chrono::steady_clock::now();
  StageSpec& spec = graph_->stages[stage];
  std::vector<int>& units = run->ran[stage];
  for (int unit = 0; unit < spec.units; ++unit) {
    if (Arrived(spec, unit, *run) || spec.logic->HasWork(run->context, unit)) units.push_back(unit);
  }
  run->reports[stage].resize(spec.units);
  std::vector<CollectingOutput> outputs(units.size());
  std::vector<Status> statuses(units.size());
  pool_->ParallelFor(units.size(), [&](size_t i) {
    const std::vector<Inbox> inboxes = TakeInboxes(spec, units[i], run);
    statuses[i] = spec.logic->RunUnit(run->context, units[i], inboxes, &outputs[i]);
  });
  for (const Status& status : statuses) RETURN_IF_ERROR(status);
  for (size_t i = 0; i < units.size(); ++i) Route(stage, units[i], outputs[i], run);
  Failpoint("run.stage");
  run->stages[stage].tasks = static_cast<int>(units.size());
  run->stages[stage].time =
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begin);
  return OkStatus();
}

}  // namespace millrace::worker
