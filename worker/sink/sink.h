#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/data/raw_records.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// The rows that one task (stage, unit) hands to one sink in one batch, in their defined order.
struct SinkPart {
  std::string stage;
  int unit = 0;
  std::vector<RecordBatch> rows;
};

struct SinkBatch {
  int64_t batch = 0;
  TimePoint batch_time;
  std::string generation;
  std::string digest;  // D(b), hex
};

// A row that the receiver or the encoder refused, with the reason; becomes a dead letter, is
// skipped, or fails the batch.
struct RejectedRow {
  std::string reason;  // "Encode" or "Rejected"
  std::string message;
  std::string value;  // the row as JSON
};

// Transactions of a sink since they were last asked for.
struct SinkTransactions {
  int64_t committed = 0;
  int64_t aborted = 0;
  int64_t unknown = 0;    // brokers did not say how they ended
  int64_t fenced = 0;     // ended by somebody else
  int64_t producers = 0;  // times that the transactional id was taken
  std::vector<Duration> commit_times;
};

// An output. Calls come from the scheduler's thread, batch by batch in order.
// Exactly-once sinks: Deliver of a batch that was delivered already (wholly or in part, also by an
// earlier process) writes only what is missing.
class Sink {
 public:
  virtual ~Sink() = default;
  // Before Open: this very spec has opened the sink and committed batches before, so what the sink
  // keeps of its deliveries must be there. Open then fails with kInternal "StateLost: ..." when it
  // is not.
  virtual void ExpectHistory() {}
  // Fences older generations and clears what they left unfinished. `committed`: last committed
  // batch (0: none).
  virtual Status Open(const std::string& generation, int64_t committed) = 0;
  // Largest batch of which the sink holds output, 0 for none or unknown. After Open.
  virtual Result<int64_t> DeliveredBatch() = 0;
  virtual Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                         std::vector<RejectedRow>* rejected) = 0;
  // Batch committed: readers may see it.
  virtual Status Committed(int64_t batch) = 0;
  virtual SinkTransactions TakeTransactions() { return {}; }
};

}  // namespace millrace::worker
