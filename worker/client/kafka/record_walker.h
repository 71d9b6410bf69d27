#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/client/kafka/aborted_transactions.h"
#include "worker/client/kafka/batch_decompressor.h"
#include "worker/client/kafka/buffer_pool.h"
#include "worker/client/kafka/record_columns.h"
#include "worker/client/kafka/records.h"

namespace millrace::worker {

struct WalkOptions {
  OffsetWindow window{};
  KafkaColumns columns{};
  bool check_crcs = true;
};

// Gives the records of one partition's responses to a visitor, in order and each once: control
// records and those of aborted transactions are left out, partial batches ignored, and what lies
// outside the window or was given before is cut off. Thread-compatible. `visitor` must outlive the
// object. Errors: kInternal for damaged data, naming the offset; the visitor's own.
class RecordWalker {
 public:
  RecordWalker(WalkOptions options, std::shared_ptr<BufferPool> pool, const KafkaVisitor* visitor)
      : options_(options),
        decompressor_(std::move(pool)),
        visitor_(visitor),
        next_offset_(options.window.from) {}

  // `set`: the batches of a response, kept by `owner` and padded. `aborted` is empty when
  // uncommitted records are wanted.
  Status Walk(std::string_view set, const std::shared_ptr<const void>& owner,
              std::vector<AbortedTransaction> aborted);

  // The first offset of the window that was not given yet; also behind an error.
  int64_t next_offset() const { return next_offset_; }
  bool done() const { return next_offset_ >= options_.window.to; }

 private:
  Status Add(const KafkaRecordBatch& batch, int64_t from, const std::shared_ptr<const void>& owner);
  void Reserve();
  Status Flush(int64_t seen);

  WalkOptions options_;
  BatchDecompressor decompressor_;
  const KafkaVisitor* visitor_;
  int64_t next_offset_;
  KafkaRecords pending_;
  size_t pending_bytes_ = 0;
  size_t expected_rows_ = 0;  // of the next call to the visitor, as a hint
};

}  // namespace millrace::worker
