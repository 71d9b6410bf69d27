#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/exec/chunk.h"

namespace millrace::worker {

// The facts of one batch that every task may use. All fixed by the plan, so a replay sees the same.
struct BatchContext {
  int64_t batch = 0;
  TimePoint batch_time;
  TimePoint previous_batch_time;  // of the last committed batch; TimePoint::min() before the first
  std::vector<TimePoint>
      watermarks;  // per source index, of this batch; TimePoint::min() = none yet
  std::vector<TimePoint> previous_watermarks;
  bool final = false;  // all sources ended: watermarks and processing time go to the end of time
};

// What a task read, for the reports of step 6 and for metrics.
struct TaskReport {
  int64_t input_records = 0;
  int64_t input_bytes = 0;
  int64_t output_records = 0;
  int64_t late_records = 0;
  int64_t expired_keys = 0;  // dropped by the ttl of a global window
  int64_t bad_records = 0;   // skipped or dead-lettered
  TimePoint max_event_time = TimePoint::min();
};

// Where a task's results go. One per task; not thread-safe.
class TaskOutput {
 public:
  virtual ~TaskOutput() = default;
  // To key group (or unit) `unit` of the stage behind `edge`. Order of calls is kept per (edge,
  // unit).
  virtual void Send(int edge, int unit, ChunkRef chunk) = 0;
  // To a sink, stream table or other end of the graph, in order.
  virtual void Deliver(int end, ChunkRef chunk) = 0;
  virtual TaskReport& report() = 0;
};

// Chunks that arrived for one unit over one edge, in the order (source stage, source unit, order of
// sending).
struct Inbox {
  int edge = 0;
  std::vector<ChunkRef> chunks;
};

// What one stage does. RunUnit is called from many threads at once, never twice at a time for one
// unit.
class StageLogic {
 public:
  virtual ~StageLogic() = default;
  // Runs the task (stage, unit) of a batch. Input stages get no inbox: they read the range that
  // their owner gave them for `batch`.
  virtual Status RunUnit(const BatchContext& context, int unit, const std::vector<Inbox>& inboxes,
                         TaskOutput* output) = 0;
  // True when the unit has work though nothing arrived (a range to read, a window, timeout or table
  // change to act on).
  virtual bool HasWork(const BatchContext& context, int unit) const = 0;

  // ---- state; stages without any keep the defaults ----
  virtual bool stateful() const { return false; }
  // Appends what changed in the unit since the last Settle; leaves `out` empty when nothing did.
  virtual Status EncodeDelta(int /*unit*/, std::string* /*out*/) { return OkStatus(); }
  virtual Status EncodeSnapshot(int /*unit*/, std::string* /*out*/) const { return OkStatus(); }
  // Starts the unit over from a snapshot (may be empty) and the deltas after it, in order.
  virtual Status Restore(int /*unit*/, std::string_view /*snapshot*/,
                         const std::vector<std::string>& /*deltas*/) {
    return OkStatus();
  }
  // The batch committed: changes so far are final.
  virtual void Settle(int /*unit*/) {}
  // Keys and bytes held in a unit, for metrics.
  virtual int64_t StateKeys(int /*unit*/) const { return 0; }
  virtual int64_t StateBytes(int /*unit*/) const { return 0; }
};

struct StageSpec {
  std::string id;  // stable: "<stream>.<step>" or the source's name
  std::string description;
  int units = 1;
  std::vector<int> input_edges;  // edges that end here
  std::unique_ptr<StageLogic> logic;
};
struct EdgeSpec {
  std::string description;  // "count by word"
  int target_stage = 0;
};

// Stages in topological order: every edge goes to a later stage.
struct JobGraph {
  std::vector<StageSpec> stages;
  std::vector<EdgeSpec> edges;
  int ends = 0;
};

}  // namespace millrace::worker
