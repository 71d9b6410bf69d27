#pragma once

#include <functional>
#include <string>
#include <vector>

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

// The running of one batch: chunks on their way and results so far. Made by BatchExecutor::Begin; thread-compatible.
struct BatchRun {
  BatchContext context;
  std::vector<std::vector<std::vector<ChunkRef>>> arrived;  // [edge][unit]
  std::vector<std::vector<EndPart>> ends;                   // [end], parts in (stage, unit) order
  std::vector<std::vector<TaskReport>> reports;             // [stage][unit], only stages that ran
  std::vector<StageReport> stages;
  std::vector<std::vector<int>> ran;                        // [stage]: units that ran, ascending
};

// Runs the stages of a graph for one batch, in order, each stage's units in parallel, and carries chunks between them.
// Guarantee: what a unit receives is ordered by (source stage, source unit, order of sending), so results depend on the plan
// alone, never on threads or timing. Thread-compatible; `graph` and `pool` outlive it.
class BatchExecutor {
 public:
  BatchExecutor(JobGraph* graph, ThreadPool* pool) : graph_(graph), pool_(pool) {}

  BatchRun Begin(BatchContext context) const;
  // Runs stages [first, last). The error is that of the lowest (stage, unit) that failed; later stages do not run.
  Status RunStages(int first, int last, BatchRun* run);

 private:
  Status RunStage(int stage, BatchRun* run);

  JobGraph* graph_;
  ThreadPool* pool_;
};

}  // namespace millrace::worker
