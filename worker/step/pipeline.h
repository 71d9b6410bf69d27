#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/exec/stage.h"
#include "worker/step/step.h"

namespace millrace::worker {

// A RecordBatch on its way between stages.
class BatchChunk final : public Chunk {
 public:
  explicit BatchChunk(RecordBatch batch) : batch_(std::move(batch)) {}
  const RecordBatch& batch() const { return batch_; }
  size_t num_rows() const override { return batch_.num_rows(); }
  size_t num_bytes() const override { return batch_.ByteSize(); }
  void Encode(std::string* out) const override { EncodeBatch(batch_, out); }

 private:
  RecordBatch batch_;
};

// The versions of look-up tables that the batch in work uses. Written between batches, read by
// tasks.
struct BatchTables {
  TableSet set;
  TableLists lists;
};

// The narrow part of a stage: a tree of steps below its input, with exchanges and ends hanging off
// any node. Streams that share a prefix share its nodes, so shared work runs once. Built by the
// planner, then immutable; thread-safe.
class Pipeline {
 public:
  struct Exchange {
    int edge = 0;
    std::shared_ptr<const KeyedStep> step;
    int input = 0;
  };
  struct Node {
    std::string name;                        // "stream.step", the source's name for node 0
    std::shared_ptr<const NarrowStep> step;  // null for node 0
    std::vector<int> children;
    std::vector<Exchange> exchanges;
    std::vector<int> ends;
  };

  explicit Pipeline(std::string name) : nodes_{{std::move(name), nullptr, {}, {}, {}}} {}
  int AddNode(int parent, std::string name, std::shared_ptr<const NarrowStep> step);
  Node& node(int i) { return nodes_[i]; }
  const std::vector<Node>& nodes() const { return nodes_; }
  // Exchange edge of the built-in dead-letter stage, -1 when nobody reads it.
  int dead_letter_edge = -1;

 private:
  std::vector<Node> nodes_;
};

// One task's passage of batches through a pipeline. Not thread-safe; `pipeline`, `run` and `output`
// outlive it.
class PipelineRun {
 public:
  PipelineRun(const Pipeline& pipeline, TaskRun* run, TaskOutput* output);
  Status Push(const RecordBatch& batch) { return PushInto(0, batch); }
  // Sends what the exchange writers hold and the dead letters. Call once.
  Status Finish();

 private:
  struct OpenWriter {
    int edge;
    std::unique_ptr<ExchangeWriter> writer;
  };
  Status PushInto(int node, const RecordBatch& batch);

  const Pipeline& pipeline_;
  TaskRun* run_;
  TaskOutput* output_;
  std::vector<int> first_writer_;    // per node, index of its first exchange in writers_
  std::vector<OpenWriter> writers_;  // all exchanges, node by node
};

// A stage behind an exchange: one keyed operator per unit, then a pipeline.
class KeyedStage final : public StageLogic {
 public:
  // `edges[i]` leads to input i of the step. `tables` is owned by the job and outlives the stage.
  KeyedStage(std::string id, std::shared_ptr<const KeyedStep> step, std::vector<int> edges,
             const BatchTables* tables);

  Pipeline& pipeline() { return pipeline_; }
  const Pipeline& pipeline() const { return pipeline_; }
  const KeyedStep& step() const { return *step_; }

  Status RunUnit(const BatchContext& context, int unit, const std::vector<Inbox>& inboxes,
                 TaskOutput* output) override;
  bool HasWork(const BatchContext& context, int unit) const override;
  bool stateful() const override { return step_->stateful(); }
  Status EncodeDelta(int unit, std::string* out) override;
  Status EncodeSnapshot(int unit, std::string* out) const override;
  Status Restore(int unit, std::string_view snapshot,
                 const std::vector<std::string>& deltas) override;
  void Settle(int unit) override;
  int64_t StateKeys(int unit) const override;
  int64_t StateBytes(int unit) const override;

 private:
  Pipeline pipeline_;
  std::shared_ptr<const KeyedStep> step_;
  std::vector<int> edges_;
  const BatchTables* tables_;
  std::vector<std::unique_ptr<KeyedOperator>> operators_;  // by unit, null until needed
};

// Passes arrived batches straight into a pipeline: the dead-letter stage.
class RelayStage final : public StageLogic {
 public:
  RelayStage(std::string id, const BatchTables* tables)
      : pipeline_(std::move(id)), tables_(tables) {}
  Pipeline& pipeline() { return pipeline_; }
  const Pipeline& pipeline() const { return pipeline_; }
  Status RunUnit(const BatchContext& context, int unit, const std::vector<Inbox>& inboxes,
                 TaskOutput* output) override;
  bool HasWork(const BatchContext&, int) const override { return false; }

 private:
  Pipeline pipeline_;
  const BatchTables* tables_;
};

}  // namespace millrace::worker
