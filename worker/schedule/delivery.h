#pragma once

#include <string>
#include <vector>

#include "worker/exec/executor.h"
#include "worker/schedule/job_parts.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

// Step 5 of a batch: hands the ends of a run to sinks and stream tables. Sinks that read
// deadLetters come in a second wave, after rows that the first wave's receivers rejected have
// become dead letters. Loop thread only; `parts` outlives it.
class Delivery {
 public:
  explicit Delivery(JobParts* parts) : parts_(parts) {}

  // Delivers all sinks of one wave. Rejected rows follow the sink's onError; dead letters are put
  // into `run`.
  Status DeliverWave(bool dead_letters, const SinkBatch& batch, BatchRun* run, BatchInfo* info);
  // Hands rows to stream tables.
  Status ApplyTables(const BatchRun& run);
  static bool HasOutput(const BatchRun& run);

 private:
  std::vector<SinkPart> PartsOf(const std::vector<EndPart>& end) const;
  Status HandleRejected(const api::Sink& sink, std::vector<RejectedRow> rejected, BatchRun* run,
                        BatchInfo* info);

  JobParts* parts_;
};

}  // namespace millrace::worker
