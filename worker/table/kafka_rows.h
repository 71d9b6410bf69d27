#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/record_batch.h"

namespace millrace::worker {

// What a compacted topic says: the last row of each record key. A record replaces what its key
// wrote before and a tombstone removes it, so the topic says the same before and after compaction.
// Thread-compatible.
class KafkaRows {
 public:
  explicit KafkaRows(SchemaRef schema);

  // Row i of `rows` is what `keys[i]` says from now on; of equal keys the last one.
  void Set(const RecordBatch& rows, std::span<const std::string_view> keys);
  void Remove(std::string_view key);
  // All rows in the order of their record keys, in memory of their own. Linear in the rows since
  // the last call and those kept.
  const RecordBatch& Rows();

 private:
  std::vector<RecordBatch> batches_;  // the first one is the last result of Rows
  size_t num_rows_ = 0;               // of all batches
  std::map<std::string, uint32_t, std::less<>>
      live_;  // record key -> row, counted over all batches
  bool changed_ = false;
};

}  // namespace millrace::worker
