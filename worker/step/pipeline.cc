#include "worker/step/pipeline.h"

#include <utility>

namespace millrace::worker {
namespace {

const RecordBatch& BatchOf(const ChunkRef& chunk) {
  return static_cast<const BatchChunk&>(*chunk).batch();
}

TaskRun StartTask(const BatchContext& context, int unit, const BatchTables& tables,
                  DeadLetters* dead_letters, TaskOutput* output) {
  return {&context, unit, &tables.set, &tables.lists, dead_letters, &output->report()};
}

}  // namespace

int Pipeline::AddNode(int parent, std::string name, std::shared_ptr<const NarrowStep> step) {
  const int index = static_cast<int>(nodes_.size());
  nodes_.push_back({std::move(name), std::move(step), {}, {}, {}});
  nodes_[parent].children.push_back(index);
  return index;
}

PipelineRun::PipelineRun(const Pipeline& pipeline, TaskRun* run, TaskOutput* output)
    : pipeline_(pipeline), run_(run), output_(output) {
  for (const Pipeline::Node& node : pipeline.nodes()) {
    first_writer_.push_back(static_cast<int>(writers_.size()));
    for (const Pipeline::Exchange& exchange : node.exchanges) {
      writers_.push_back({exchange.edge, exchange.step->MakeWriter(exchange.input)});
    }
  }
}

Status PipelineRun::PushInto(int index, const RecordBatch& batch) {
  if (batch.num_rows() == 0) return OkStatus();
  const Pipeline::Node& node = pipeline_.nodes()[index];
  for (size_t i = 0; i < node.exchanges.size(); ++i) {
    RETURN_IF_ERROR(writers_[first_writer_[index] + i].writer->Add(batch, run_));
  }
  for (const int end : node.ends) {
    run_->report->output_records += static_cast<int64_t>(batch.num_rows());
    output_->Deliver(end, std::make_shared<BatchChunk>(batch));
  }
  for (const int child : node.children) {
    ASSIGN_OR_RETURN(const RecordBatch result, pipeline_.nodes()[child].step->Apply(batch, run_));
    RETURN_IF_ERROR(PushInto(child, result));
  }
  return OkStatus();
}

Status PipelineRun::Finish() {
  for (OpenWriter& open : writers_) {
    RETURN_IF_ERROR(open.writer->Finish(run_, [&](int unit, RecordBatch rows) {
      output_->Send(open.edge, unit, std::make_shared<BatchChunk>(std::move(rows)));
    }));
  }
  if (!run_->dead_letters->empty() && pipeline_.dead_letter_edge >= 0) {
    RecordBatch rows = run_->dead_letters->TakeRows(run_->context->batch_time);
    output_->Send(pipeline_.dead_letter_edge, 0, std::make_shared<BatchChunk>(std::move(rows)));
  }
  return OkStatus();
}

KeyedStage::KeyedStage(std::string id, std::shared_ptr<const KeyedStep> step,
                       std::vector<int> edges, const BatchTables* tables)
    : pipeline_(std::move(id)),
      step_(std::move(step)),
      edges_(std::move(edges)),
      tables_(tables),
      operators_(step_->units()) {}

Status KeyedStage::RunUnit(const BatchContext& context, int unit, const std::vector<Inbox>& inboxes,
                           TaskOutput* output) {
  std::vector<std::vector<RecordBatch>> arrived(step_->num_inputs());
  for (const Inbox& inbox : inboxes) {
    for (size_t input = 0; input < edges_.size(); ++input) {
      if (edges_[input] != inbox.edge) continue;
      for (const ChunkRef& chunk : inbox.chunks) arrived[input].push_back(BatchOf(chunk));
    }
  }
  DeadLetters dead_letters;
  TaskRun run = StartTask(context, unit, *tables_, &dead_letters, output);
  if (operators_[unit] == nullptr) operators_[unit] = step_->MakeOperator();
  std::vector<RecordBatch> results;
  RETURN_IF_ERROR(operators_[unit]->Run(arrived, &run, &results));
  PipelineRun pipeline(pipeline_, &run, output);
  for (const RecordBatch& result : results) RETURN_IF_ERROR(pipeline.Push(result));
  return pipeline.Finish();
}

bool KeyedStage::HasWork(const BatchContext& context, int unit) const {
  if (operators_[unit] != nullptr) return operators_[unit]->HasWork(context);
  return step_->runs_at_first_start();
}

Status KeyedStage::EncodeDelta(int unit, std::string* out) {
  if (operators_[unit] != nullptr) operators_[unit]->EncodeDelta(out);
  return OkStatus();
}

Status KeyedStage::EncodeSnapshot(int unit, std::string* out) const {
  if (operators_[unit] != nullptr) operators_[unit]->EncodeSnapshot(out);
  return OkStatus();
}

Status KeyedStage::Restore(int unit, std::string_view snapshot,
                           const std::vector<std::string>& deltas) {
  operators_[unit] = nullptr;
  if (snapshot.empty() && deltas.empty()) return OkStatus();
  std::unique_ptr<KeyedOperator> restored = step_->MakeOperator();
  if (!snapshot.empty()) RETURN_IF_ERROR(restored->Apply(snapshot));
  for (const std::string& delta : deltas) RETURN_IF_ERROR(restored->Apply(delta));
  restored->Settle();
  operators_[unit] = std::move(restored);
  return OkStatus();
}

void KeyedStage::Settle(int unit) {
  if (operators_[unit] != nullptr) operators_[unit]->Settle();
}

int64_t KeyedStage::StateKeys(int unit) const {
  return operators_[unit] == nullptr ? 0 : operators_[unit]->keys();
}
int64_t KeyedStage::StateBytes(int unit) const {
  return operators_[unit] == nullptr ? 0 : operators_[unit]->bytes();
}

Status RelayStage::RunUnit(const BatchContext& context, int unit, const std::vector<Inbox>& inboxes,
                           TaskOutput* output) {
  DeadLetters dead_letters;
  TaskRun run = StartTask(context, unit, *tables_, &dead_letters, output);
  PipelineRun pipeline(pipeline_, &run, output);
  for (const Inbox& inbox : inboxes) {
    for (const ChunkRef& chunk : inbox.chunks) RETURN_IF_ERROR(pipeline.Push(BatchOf(chunk)));
  }
  return pipeline.Finish();
}

}  // namespace millrace::worker
