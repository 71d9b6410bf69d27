#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/coordination/batch_plan.h"
#include "worker/exec/executor.h"
#include "worker/sink/sink.h"
#include "worker/source/source.h"

namespace millrace::worker {

// One committed batch, in Spark's three delay words:
//   scheduling delay  from the batch's due time to its start
//   processing delay  from start to commit
//   total delay       their sum
struct BatchInfo {
  BatchPlan plan;
  Duration scheduling_delay{0};
  Duration processing_delay{0};
  Duration compute{0};
  Duration output{0};
  Duration commit{0};
  int attempts = 1;
  int64_t input_records = 0;
  int64_t input_bytes = 0;
  int64_t output_records = 0;
  int64_t late_records = 0;
  int64_t expired_keys = 0;
  int64_t bad_records = 0;
  int64_t rejected_records = 0;
  std::map<std::string, int64_t> input_by_source;
  std::map<std::string, int64_t> output_by_sink;
  std::vector<StageReport> stages;  // by stage of the graph
  int64_t state_bytes = 0;          // committed, encoded
  int64_t lag_records = -1;         // known records not yet planned, -1 unknown
  double rate = 0;                  // rate controller, records/s; 0 none
};

// What happens to a job, as it happens. Called from the scheduler's thread; must not block.
class JobListener {
 public:
  virtual ~JobListener() = default;
  virtual void OnBatchPlanned(const BatchPlan& /*plan*/) {}
  virtual void OnBatchCommitted(const BatchInfo& /*info*/) {}
  // An attempt failed and will be repeated, or the job stops.
  virtual void OnBatchFailed(int64_t /*batch*/, int /*attempt*/, const Status& /*status*/) {}
  // How far the partitions of a source are read; after commits and idle ticks.
  virtual void OnProgress(const std::string& /*source*/,
                          const std::vector<PartitionProgress>& /*partitions*/) {}
  // What became of a sink's transactions since the last call; after commits and idle ticks.
  virtual void OnTransactions(const std::string& /*sink*/,
                              const SinkTransactions& /*transactions*/) {}
  // A tick passed without anything to do.
  virtual void OnIdle(int64_t /*lag_records*/) {}
};

}  // namespace millrace::worker
