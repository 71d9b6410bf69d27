#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "worker/client/kafka/record_batch.h"

namespace millrace::worker {

// A transaction that the broker says was aborted, with records in the response.
struct AbortedTransaction {
  int64_t producer_id = -1;
  int64_t first_offset = 0;
};

// Tells which batches of one response belong to aborted transactions, by the rules of Kafka's own
// consumer (KIP-98): a producer's batches count as aborted from a transaction's first offset up to
// its abort marker. Thread-compatible.
class AbortedTransactions {
 public:
  explicit AbortedTransactions(std::vector<AbortedTransaction> list);

  // Requires: called for every batch of the response, in order.
  bool Contains(const KafkaRecordBatch& batch);

 private:
  std::vector<AbortedTransaction> list_;  // by first offset
  size_t next_ = 0;                       // of list_
  std::unordered_set<int64_t> open_;      // producers inside an aborted transaction
};

}  // namespace millrace::worker
