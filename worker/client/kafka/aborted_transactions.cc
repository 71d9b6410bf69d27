#include "worker/client/kafka/aborted_transactions.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {

AbortedTransactions::AbortedTransactions(std::vector<AbortedTransaction> list)
    : list_(std::move(list)) {
  std::stable_sort(list_.begin(), list_.end(),
                   [](const AbortedTransaction& a, const AbortedTransaction& b) {
                     return a.first_offset < b.first_offset;
                   });
}

bool AbortedTransactions::Contains(const KafkaRecordBatch& batch) {
  if (list_.empty() || batch.producer_id < 0) return false;
  for (; next_ < list_.size() && list_[next_].first_offset <= batch.last_offset; ++next_) {
    open_.insert(list_[next_].producer_id);
  }
  if (IsAbortMarker(batch)) {
    open_.erase(batch.producer_id);
    return false;
  }
  return batch.transactional() && open_.contains(batch.producer_id);
}

}  // namespace millrace::worker
