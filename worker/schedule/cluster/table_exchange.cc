#include "worker/schedule/cluster/table_exchange.h"

#include <algorithm>
#include <map>
#include <utility>

#include "worker/step/pipeline.h"

namespace millrace::worker {
namespace {

// Rows of one chunk and their place among all that is written into the table.
struct PlacedRows {
  ChunkOrigin origin;
  RecordBatch rows;
};
using RowsByEnd = std::map<int, std::vector<PlacedRows>>;

bool IsTable(const JobPlan& plan, int end) {
  return end >= 0 && end < static_cast<int>(plan.ends.size()) &&
         plan.ends[end].kind == PlanEnd::Kind::kTable;
}

// A unit of each other worker: what is sent to it reaches that worker.
std::vector<int> UnitsOfOthers(const Generation& generation, int slot) {
  std::vector<int> units;
  for (int other = 0; other < generation.slots(); ++other) {
    const auto owned = std::find(generation.groups.begin(), generation.groups.end(), other);
    if (other != slot && owned != generation.groups.end())
      units.push_back(static_cast<int>(owned - generation.groups.begin()));
  }
  return units;
}

Status SendPart(int stage, int end, const EndPart& part, const std::vector<int>& units,
                ExchangePort* port, std::vector<PlacedRows>* own) {
  int sequence = 0;
  for (const ChunkRef& chunk : part.chunks) {
    RemoteChunk remote{end, stage, 0, part.stage, part.unit, sequence, {}};
    if (!units.empty()) chunk->Encode(&remote.bytes);
    for (const int unit : units) {
      RemoteChunk copy = remote;
      copy.target_unit = unit;
      RETURN_IF_ERROR(port->Send(std::move(copy)));
    }
    own->push_back(
        {{part.stage, part.unit, sequence++}, static_cast<const BatchChunk&>(*chunk).batch()});
  }
  return OkStatus();
}

Status TakeOthers(const JobPlan& plan, int stage, ExchangePort* port, RowsByEnd* rows) {
  RETURN_IF_ERROR(port->Finish(stage));
  ASSIGN_OR_RETURN(const std::vector<RemoteChunk> others, port->Receive(stage));
  for (const RemoteChunk& chunk : others) {
    if (!IsTable(plan, chunk.edge)) {
      return InternalError("exchange of tables: a worker wrote to end " +
                           std::to_string(chunk.edge) +
                           ", which is no table here; do all workers run the same job?");
    }
    ASSIGN_OR_RETURN(RecordBatch batch, DecodeBatch(chunk.bytes));
    (*rows)[chunk.edge].push_back(
        {{chunk.source_stage, chunk.source_unit, chunk.sequence}, std::move(batch)});
  }
  return OkStatus();
}

}  // namespace

bool WritesTables(const JobPlan& plan) {
  return std::any_of(plan.ends.begin(), plan.ends.end(),
                     [](const PlanEnd& end) { return end.kind == PlanEnd::Kind::kTable; });
}

int TableStage(const JobGraph& graph) { return static_cast<int>(graph.stages.size()); }

Status ShareTableRows(const JobPlan& plan, const Generation& generation, int slot,
                      ExchangePort* port, const BatchRun& run, const ApplyRows& apply) {
  if (!WritesTables(plan)) return OkStatus();
  const int stage = TableStage(plan.graph);
  const std::vector<int> units = UnitsOfOthers(generation, slot);
  RowsByEnd rows;
  for (int end = 0; end < static_cast<int>(plan.ends.size()); ++end) {
    if (!IsTable(plan, end)) continue;
    for (const EndPart& part : run.ends[end])
      RETURN_IF_ERROR(SendPart(stage, end, part, units, port, &rows[end]));
  }
  RETURN_IF_ERROR(TakeOthers(plan, stage, port, &rows));
  for (auto& [end, placed] : rows) {
    std::sort(placed.begin(), placed.end(),
              [](const PlacedRows& a, const PlacedRows& b) { return a.origin < b.origin; });
    std::vector<RecordBatch> batches;
    for (PlacedRows& part : placed) batches.push_back(std::move(part.rows));
    RETURN_IF_ERROR(apply(plan.ends[end].index, batches));
  }
  return OkStatus();
}

}  // namespace millrace::worker
