#pragma once

#include <string>
#include <utility>
#include <vector>

#include "worker/exec/exchange.h"
#include "worker/exec/stage.h"
#include "worker/exec/thread_pool.h"

namespace millrace::worker {

// What one task handed to one end of the graph.
struct EndPart {
  int stage = 0;
  int unit = 0;
  std::vector<ChunkRef> chunks;
};

struct StageReport {
  int tasks = 0;  // units that ran
  Duration time{0};
  TaskReport total;
};

// Where an arrived chunk came from; the order of chunks in an inbox.
struct ChunkOrigin {
  int stage = 0;
  int unit = 0;
  int sequence = 0;
  auto operator<=>(const ChunkOrigin&) const = default;
};

// The running of one batch: chunks on their way and results so far. Made by BatchExecutor::Begin;
// thread-compatible.
struct BatchRun {
  BatchContext context;
  ExchangePort* port = nullptr;                             // null: this worker runs every unit
  std::vector<std::vector<std::vector<ChunkRef>>> arrived;  // [edge][unit]
  std::vector<std::vector<std::vector<ChunkOrigin>>>
      origins;                                   // beside `arrived`; empty without a port
  std::vector<std::vector<EndPart>> ends;        // [end], parts in (stage, unit) order
  std::vector<std::vector<TaskReport>> reports;  // [stage][unit], only stages that ran
  std::vector<StageReport> stages;
  std::vector<std::vector<int>> ran;  // [stage]: units that ran, ascending
  int sent_outside_tasks = 0;
};

// Runs the stages of a graph for one batch, in order, each stage's units in parallel, and carries
// chunks between them. Guarantee: what a unit receives is ordered by (source stage, source unit,
// order of sending), so results depend on the plan alone, never on threads or timing. With a port
// it runs the units that the port owns, in order of stages, and waits before each stage behind an
// exchange for the other workers; all ends of all workers together are then those of one worker.
// Thread-compatible; `graph`, `pool` and the port of a run outlive it.
class BatchExecutor {
 public:
  // `decode` makes what arrives from other workers; runs without a port need none.
  BatchExecutor(JobGraph* graph, ThreadPool* pool, ChunkDecoder decode = nullptr)
      : graph_(graph), pool_(pool), decode_(std::move(decode)) {}

  BatchRun Begin(BatchContext context, ExchangePort* port = nullptr) const;
  // Runs stages [first, last). The error is that of the lowest (stage, unit) that failed; later
  // stages do not run.
  Status RunStages(int first, int last, BatchRun* run);

 private:
  Status RunStage(int stage, BatchRun* run);
  Status TakeRemote(int stage, BatchRun* run);

  JobGraph* graph_;
  ThreadPool* pool_;
  ChunkDecoder decode_;
};

// Adds a chunk that no task sent (rows that a sink refused) to a unit that has not run yet, behind
// all that tasks sent to it, wherever the unit runs. Chunks of several workers come in the order of
// their slots. Requires: RunStages has not begun the stage behind `edge`; one thread at a time.
// Blocks as ExchangePort::Send does.
Status SendOutsideTasks(const JobGraph& graph, int edge, int unit, ChunkRef chunk, BatchRun* run);

}  // namespace millrace::worker
