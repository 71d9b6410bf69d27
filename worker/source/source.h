#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/data/format.h"
#include "worker/data/raw_records.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// One partition's part of a plan. `from`, `to` and `proof` are opaque to everybody but their
// source; equal texts mean equal input. Ranges of consecutive batches touch: from(b) = to(b-1).
struct PartitionRange {
  int partition = 0;
  std::string from;
  std::string to;
  std::string proof;
  int64_t records = -1;  // exact or estimated, -1 unknown; for rates and display only
};

// Where a source stands: what the last plan consumed. Empty at the first start.
struct SourcePosition {
  std::string cursor;                  // source-wide (seen files, ...)
  std::map<int, std::string> offsets;  // partition -> `to` of its last range
};

// How far a partition of a broker was read by committed batches, and how far it reaches.
struct PartitionProgress {
  std::string topic;
  int partition = 0;
  int64_t committed = 0;  // offset of the next record
  int64_t end = 0;        // one past the last record that may be read
};

struct OfferRequest {
  const SourcePosition* position = nullptr;
  TimePoint batch_time;
  // 0: no limit. Sources that cannot count beforehand estimate by bytes; always at least one record
  // per offer.
  int64_t max_records_per_partition = 0;  // the user's maxRatePerPartition
  int64_t max_records = 0;  // the rate controller's, for all partitions together; shared out by lag
};

struct SourceOffer {
  std::vector<PartitionRange> ranges;  // only non-empty ones
  std::string cursor;                  // replaces the position's cursor
  bool ended = false;                  // nothing will follow these ranges
  bool must_commit =
      false;  // the cursor has to become durable even without ranges (first offsets of a partition)
  int64_t lag_records = -1;  // known records behind these ranges, -1 unknown
};

// Takes what a source reads. One per task.
class RecordConsumer {
 public:
  virtual ~RecordConsumer() = default;
  // Undecoded records of about 64-256 KiB; the consumer decodes.
  virtual Status OnRaw(RawRecords records) = 0;
  // Rows of sources that make their own columns (generator); `first_index` is the index of row 0 in
  // the range.
  virtual Status OnBatch(RecordBatch batch, int64_t first_index) = 0;
};

// A stream input: says what is there, then reads exactly what a plan fixed, as often as asked.
// Offer, Committed and Stop are called from the scheduler's thread; Read from any worker thread,
// several partitions at once. Guarantee: two Reads of one range give equal records in equal order,
// also after a restart, or fail with kGone
// ("SourceChanged: ...") naming what differs.
class Source {
 public:
  virtual ~Source() = default;
  // Partitions known so far; may grow with an Offer. Scheduler's thread.
  virtual int num_partitions() const = 0;
  // Begins background work (sockets, listeners). `position` is that of the last plan. Errors are
  // final configuration errors.
  virtual Status Start(const SourcePosition& position) = 0;
  // What could be read after `request.position`. Never blocks on the network.
  virtual Result<SourceOffer> Offer(const OfferRequest& request) = 0;
  virtual Status Read(const PartitionRange& range, RecordConsumer* consumer) = 0;
  // Everything up to `position` is committed: logs may be trimmed.
  virtual void Committed(const SourcePosition& /*position*/) {}
  // Of the partitions that have offsets; from what is known without asking. Scheduler's thread.
  virtual std::vector<PartitionProgress> Progress(const SourcePosition& /*committed*/) const {
    return {};
  }
  virtual void Stop() {}
};

}  // namespace millrace::worker
