#include "worker/exec/executor.h"

#include <algorithm>
#include <chrono>
#include <numeric>
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
  void Send(int edge, int unit, ChunkRef chunk) override {
    sendings.push_back({edge, unit, std::move(chunk)});
  }
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

void Arrive(int edge, int unit, ChunkRef chunk, const ChunkOrigin& origin, BatchRun* run) {
  run->arrived[edge][unit].push_back(std::move(chunk));
  if (run->port != nullptr) run->origins[edge][unit].push_back(origin);
}

// Sends on what other workers run, from the thread of the task. Such sendings keep their place with
// a null chunk.
Status SendRemote(const JobGraph& graph, const ChunkOrigin& origin, int edge, int unit,
                  ChunkRef* chunk, ExchangePort* port) {
  const int target = graph.edges[edge].target_stage;
  if (port->Owns(target, unit)) return OkStatus();
  RemoteChunk remote{edge, target, unit, origin.stage, origin.unit, origin.sequence, {}};
  (*chunk)->Encode(&remote.bytes);
  chunk->reset();
  return port->Send(std::move(remote));
}

Status SendRemote(const JobGraph& graph, int stage, int unit, CollectingOutput* output,
                  ExchangePort* port) {
  int sequence = 0;
  for (Sending& sending : output->sendings) {
    RETURN_IF_ERROR(SendRemote(graph, {stage, unit, sequence++}, sending.edge, sending.unit,
                               &sending.chunk, port));
  }
  return OkStatus();
}

// Takes a finished task's results into the run. Called for one stage's units in ascending order.
void Route(int stage, int unit, CollectingOutput& output, BatchRun* run) {
  int sequence = 0;
  for (Sending& sending : output.sendings) {
    const ChunkOrigin origin{stage, unit, sequence++};
    if (sending.chunk != nullptr)
      Arrive(sending.edge, sending.unit, std::move(sending.chunk), origin, run);
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

// Puts the inbox of a unit in order of origin. What is here is in order already where nothing came
// from elsewhere.
void SortByOrigin(std::vector<ChunkRef>* chunks, std::vector<ChunkOrigin>* origins) {
  if (std::is_sorted(origins->begin(), origins->end())) return;
  std::vector<size_t> order(origins->size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return (*origins)[a] < (*origins)[b]; });
  std::vector<ChunkRef> sorted(chunks->size());
  for (size_t i = 0; i < order.size(); ++i) sorted[i] = std::move((*chunks)[order[i]]);
  *chunks = std::move(sorted);
  std::sort(origins->begin(), origins->end());
}

// False for a chunk that this worker's graph has no place for.
bool Fits(const JobGraph& graph, int stage, const RemoteChunk& chunk) {
  const std::vector<int>& edges = graph.stages[stage].input_edges;
  return std::find(edges.begin(), edges.end(), chunk.edge) != edges.end() &&
         chunk.target_unit >= 0 && chunk.target_unit < graph.stages[stage].units;
}

bool Arrived(const StageSpec& stage, int unit, const BatchRun& run) {
  for (const int edge : stage.input_edges) {
    if (!run.arrived[edge][unit].empty()) return true;
  }
  return false;
}

}  // namespace

BatchRun BatchExecutor::Begin(BatchContext context, ExchangePort* port) const {
  CHECK(port == nullptr || decode_ != nullptr);
  BatchRun run;
  run.context = std::move(context);
  run.port = port;
  run.arrived.resize(graph_->edges.size());
  for (size_t edge = 0; edge < graph_->edges.size(); ++edge) {
    run.arrived[edge].resize(graph_->stages[graph_->edges[edge].target_stage].units);
  }
  if (port != nullptr) {
    run.origins.resize(run.arrived.size());
    for (size_t edge = 0; edge < run.arrived.size(); ++edge)
      run.origins[edge].resize(run.arrived[edge].size());
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

// Waits for what other workers send to the owned units of a stage and puts it in its place.
Status BatchExecutor::TakeRemote(int stage, BatchRun* run) {
  const StageSpec& spec = graph_->stages[stage];
  if (run->port == nullptr || spec.input_edges.empty()) return OkStatus();
  RETURN_IF_ERROR(run->port->Finish(stage));
  ASSIGN_OR_RETURN(std::vector<RemoteChunk> remote, run->port->Receive(stage));
  for (const RemoteChunk& chunk : remote) {
    if (!Fits(*graph_, stage, chunk)) {
      return InternalError("exchange of batch " + std::to_string(run->context.batch) +
                           ": stage \"" + spec.id + "\" got a chunk for edge " +
                           std::to_string(chunk.edge) + ", unit " +
                           std::to_string(chunk.target_unit) +
                           ", which it does not have; do all workers run the same job?");
    }
  }
  std::vector<ChunkRef> chunks(remote.size());
  std::vector<Status> statuses(remote.size());
  pool_->ParallelFor(remote.size(), [&](size_t i) {
    Result<ChunkRef> chunk = decode_(remote[i].edge, remote[i].bytes);
    if (chunk.ok()) chunks[i] = std::move(chunk).value();
    statuses[i] = chunk.status();
    std::string().swap(remote[i].bytes);
  });
  for (const Status& status : statuses) RETURN_IF_ERROR(status);
  for (size_t i = 0; i < remote.size(); ++i) {
    const RemoteChunk& from = remote[i];
    const ChunkOrigin origin{from.source_stage, from.source_unit, from.sequence};
    Arrive(from.edge, from.target_unit, std::move(chunks[i]), origin, run);
  }
  for (const int edge : spec.input_edges) {
    for (int unit = 0; unit < spec.units; ++unit)
      SortByOrigin(&run->arrived[edge][unit], &run->origins[edge][unit]);
  }
  return OkStatus();
}

Status BatchExecutor::RunStage(int stage, BatchRun* run) {
  RETURN_IF_ERROR(TakeRemote(stage, run));
  const auto begin = std::chrono::steady_clock::now();
  StageSpec& spec = graph_->stages[stage];
  std::vector<int>& units = run->ran[stage];
  for (int unit = 0; unit < spec.units; ++unit) {
    if (run->port != nullptr && !run->port->Owns(stage, unit)) continue;
    if (Arrived(spec, unit, *run) || spec.logic->HasWork(run->context, unit)) units.push_back(unit);
  }
  run->reports[stage].resize(spec.units);
  std::vector<CollectingOutput> outputs(units.size());
  std::vector<Status> statuses(units.size());
  pool_->ParallelFor(units.size(), [&](size_t i) {
    const std::vector<Inbox> inboxes = TakeInboxes(spec, units[i], run);
    statuses[i] = spec.logic->RunUnit(run->context, units[i], inboxes, &outputs[i]);
    if (run->port != nullptr && statuses[i].ok())
      statuses[i] = SendRemote(*graph_, stage, units[i], &outputs[i], run->port);
  });
  for (const Status& status : statuses) RETURN_IF_ERROR(status);
  for (size_t i = 0; i < units.size(); ++i) Route(stage, units[i], outputs[i], run);
  Failpoint("run.stage");
  run->stages[stage].tasks = static_cast<int>(units.size());
  run->stages[stage].time =
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begin);
  return OkStatus();
}

Status SendOutsideTasks(const JobGraph& graph, int edge, int unit, ChunkRef chunk, BatchRun* run) {
  const int slot = run->port == nullptr ? 0 : run->port->slot();
  const ChunkOrigin origin{static_cast<int>(graph.stages.size()), slot, run->sent_outside_tasks++};
  if (run->port != nullptr)
    RETURN_IF_ERROR(SendRemote(graph, origin, edge, unit, &chunk, run->port));
  if (chunk != nullptr) Arrive(edge, unit, std::move(chunk), origin, run);
  return OkStatus();
}

}  // namespace millrace::worker
