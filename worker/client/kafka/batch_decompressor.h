#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "crds/base/status.h"
#include "worker/client/kafka/buffer_pool.h"
#include "worker/client/kafka/record_batch.h"

namespace millrace::worker {

// Unpacks the records of compressed batches: gzip, snappy (bare, and in the frames of Java
// clients), lz4 frames, zstd. Keeps its contexts for the next batch. Output beyond 64 MiB and 250
// times the input, or 1 GiB, is refused. Thread-compatible. Errors are kInternal: damaged data, an
// unknown codec, too much output.
class BatchDecompressor {
 public:
  explicit BatchDecompressor(std::shared_ptr<BufferPool> pool);
  ~BatchDecompressor();

  // Memory of the pool, padded. `codec` as in KafkaRecordBatch::codec().
  Result<KafkaBuffer> Decompress(int codec, std::string_view input);

 private:
  class Contexts;

  std::shared_ptr<BufferPool> pool_;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace millrace::worker
