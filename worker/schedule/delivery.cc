#include "worker/schedule/delivery.h"

#include <algorithm>
#include <utility>

#include "worker/step/pipeline.h"

namespace millrace::worker {
namespace {

std::vector<RecordBatch> RowsOf(const EndPart& part) {
  std::vector<RecordBatch> rows;
  for (const ChunkRef& chunk : part.chunks)
    rows.push_back(static_cast<const BatchChunk&>(*chunk).batch());
  return rows;
}

int64_t CountRows(const std::vector<EndPart>& end) {
  int64_t rows = 0;
  for (const EndPart& part : end) {
    for (const ChunkRef& chunk : part.chunks) rows += static_cast<int64_t>(chunk->num_rows());
  }
  return rows;
}

}  // namespace

bool Delivery::HasOutput(const BatchRun& run) {
  return std::any_of(run.ends.begin(), run.ends.end(),
                     [](const std::vector<EndPart>& end) { return !end.empty(); });
}

std::vector<SinkPart> Delivery::PartsOf(const std::vector<EndPart>& end) const {
  std::vector<SinkPart> parts;
  for (const EndPart& part : end) {
    parts.push_back({parts_->plan.graph.stages[part.stage].id, part.unit, RowsOf(part)});
  }
  return parts;
}

Status Delivery::DeliverWave(bool dead_letters, const SinkBatch& batch, BatchRun* run,
                             BatchInfo* info) {
  for (size_t i = 0; i < parts_->plan.ends.size(); ++i) {
    const PlanEnd& end = parts_->plan.ends[i];
    if (end.kind != PlanEnd::Kind::kSink || end.dead_letters != dead_letters) continue;
    const api::Sink& spec = parts_->job->spec.sinks[end.index];
    std::vector<RejectedRow> rejected;
    const Status status =
        parts_->sinks[end.index]->Deliver(batch, PartsOf(run->ends[i]), &rejected);
    if (!status.ok()) return status.WithContext("sink \"" + spec.name + "\"");
    info->output_by_sink[spec.name] +=
        CountRows(run->ends[i]) - static_cast<int64_t>(rejected.size());
    RETURN_IF_ERROR(HandleRejected(spec, std::move(rejected), run, info));
  }
  return OkStatus();
}

Status Delivery::HandleRejected(const api::Sink& sink, std::vector<RejectedRow> rejected,
                                BatchRun* run, BatchInfo* info) {
  if (rejected.empty()) return OkStatus();
  const api::ErrorPolicy policy = sink.on_error.value_or(parts_->job->spec.on_error);
  if (policy == api::ErrorPolicy::kFail) {
    return InvalidError("sink \"" + sink.name + "\": " + rejected.front().message);
  }
  info->rejected_records += static_cast<int64_t>(rejected.size());
  const int edge = parts_->plan.dead_letter_edge;
  if (policy != api::ErrorPolicy::kDeadLetter || edge < 0) return OkStatus();
  DeadLetters letters;
  for (RejectedRow& row : rejected) {
    letters.Add({sink.name,
                 std::move(row.reason),
                 std::move(row.message),
                 std::move(row.value),
                 {},
                 {},
                 {},
                 {}});
  }
  auto rows = std::make_shared<BatchChunk>(letters.TakeRows(run->context.batch_time));
  return SendOutsideTasks(parts_->plan.graph, edge, 0, std::move(rows), run);
}

Status Delivery::ApplyTables(const BatchRun& run) {
  for (size_t i = 0; i < parts_->plan.ends.size(); ++i) {
    const PlanEnd& end = parts_->plan.ends[i];
    if (end.kind != PlanEnd::Kind::kTable) continue;
    for (const EndPart& part : run.ends[i])
      RETURN_IF_ERROR(parts_->tables->Apply(end.index, RowsOf(part)));
  }
  return OkStatus();
}

}  // namespace millrace::worker
