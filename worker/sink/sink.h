#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
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

// One place of a generation (protocol section 5). The embedded engine has the only one.
struct SinkSeat {
  std::string generation;  // "<fence>-<16 hex>", never repeated
  int64_t fence = 1;
  int slot = 0;
  int slots = 1;
  int max_slots = 1;      // most that any generation of the job had
  int64_t committed = 0;  // last committed batch, 0 for none
};

// The seat of a process that works alone. The fence is what the name begins with.
inline SinkSeat SoleSeat(std::string generation, int64_t committed) {
  SinkSeat seat;
  (void)std::from_chars(generation.data(), generation.data() + generation.size(), seat.fence);
  seat.generation = std::move(generation);
  seat.committed = committed;
  return seat;
}

struct SinkTask {
  std::string stage;
  int unit = 0;
  auto operator<=>(const SinkTask&) const = default;
};

// What a sink says of its deliveries, over all slots that ever wrote. Batches below `batch` are
// there as a whole.
struct SinkLedger {
  bool keeps = false;           // the sink has a ledger; without one all else is empty
  bool missing = false;         // it holds nothing from before this generation
  int64_t batch = 0;            // largest with output, 0 for none
  std::string digest;           // D(batch) in hex, or as many of its first digits as are kept
  std::vector<SinkTask> tasks;  // of `batch`, with output; sorted
  int64_t fence = 0;            // of the newest generation it knows
  int64_t slots = 0;            // most that it knows of, 0 where it does not count them
};

// An output, or one slot's part of it. Calls come from the scheduler's thread, batch by batch in
// order: Open, ReadLedger and Skip at the start of a generation, then Deliver and Committed.
// Exactly-once sinks: Deliver of a batch that was delivered already (wholly or in part, also by an
// earlier process) writes only what is missing.
class Sink {
 public:
  virtual ~Sink() = default;
  // Before Open: this very spec has opened the sink and committed batches before, so what the sink
  // keeps of its deliveries must be there. Open then fails with kInternal "StateLost: ..." when it
  // is not.
  virtual void ExpectHistory() {}
  // Fences this slot's share of what older generations may write, and clears what they left
  // unfinished. Slots other than 0 may wait for slot 0. Requires: slot < slots <= max_slots.
  virtual Status Open(const SinkSeat& seat) = 0;
  // Of one process, when every slot has opened: no older generation can add to it any more.
  virtual Result<SinkLedger> ReadLedger() = 0;
  // After Open: all slots together have delivered this much, by ledgers that were compared with the
  // plans. Deliver leaves it out, and repeats it in its own record of the same batch. Sinks that
  // see for themselves what is there, or keep no ledger, need not know.
  virtual void Skip(const SinkLedger&) {}
  virtual Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                         std::vector<RejectedRow>* rejected) = 0;
  // Batch committed: readers may see it. Slot 0 shows it, others have nothing to do.
  virtual Status Committed(int64_t batch) = 0;
  virtual SinkTransactions TakeTransactions() { return {}; }
};

}  // namespace millrace::worker
