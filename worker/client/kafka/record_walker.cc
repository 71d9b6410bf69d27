#include "worker/client/kafka/record_walker.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {
namespace {

constexpr size_t kVisitBytes = 512u << 10;

}  // namespace

Status RecordWalker::Walk(std::string_view set, const std::shared_ptr<const void>& owner,
                          std::vector<AbortedTransaction> aborted) {
  AbortedTransactions filter(std::move(aborted));
  RecordBatchCursor cursor(set);
  KafkaRecordBatch batch;
  int64_t seen = next_offset_;
  pending_ = {};  // what an error left behind
  pending_bytes_ = 0;
  while (seen < options_.window.to && cursor.Next(&batch)) {
    if (options_.check_crcs) RETURN_IF_ERROR(CheckCrc(batch));
    const bool hidden = filter.Contains(batch) || batch.control() || batch.record_count == 0;
    if (batch.last_offset < seen) continue;
    if (!hidden && batch.base_offset < options_.window.to) {
      RETURN_IF_ERROR(Add(batch, seen, owner));
    }
    seen = batch.last_offset + 1;
    if (pending_bytes_ >= kVisitBytes) RETURN_IF_ERROR(Flush(seen));
  }
  RETURN_IF_ERROR(cursor.status());
  return Flush(seen);
}

Status RecordWalker::Add(const KafkaRecordBatch& batch, int64_t from,
                         const std::shared_ptr<const void>& owner) {
  std::string_view payload = batch.records;
  std::shared_ptr<const void> keeper = owner;
  if (batch.codec() != 0) {
    Result<KafkaBuffer> unpacked = decompressor_.Decompress(batch.codec(), payload);
    if (!unpacked.ok()) {
      return unpacked.status().WithContext("record batch at offset " +
                                           std::to_string(batch.base_offset));
    }
    payload = unpacked->view();
    keeper = std::move(unpacked->data);
  }
  if (pending_.values.empty()) Reserve();
  RETURN_IF_ERROR(
      AppendRecords(batch, payload, {from, options_.window.to}, options_.columns, &pending_));
  if (pending_.owners.empty() || pending_.owners.back() != keeper)
    pending_.owners.push_back(std::move(keeper));
  pending_bytes_ += payload.size();
  return OkStatus();
}

void RecordWalker::Reserve() {
  pending_.values.reserve(expected_rows_);
  if (options_.columns.keys) pending_.keys.reserve(expected_rows_);
  if (options_.columns.timestamps) pending_.timestamps_ms.reserve(expected_rows_);
  if (options_.columns.headers) pending_.headers.reserve(expected_rows_);
}

Status RecordWalker::Flush(int64_t seen) {
  if (!pending_.values.empty()) {
    expected_rows_ = pending_.values.size();
    RETURN_IF_ERROR((*visitor_)(std::exchange(pending_, {})));
  }
  pending_bytes_ = 0;
  next_offset_ = std::max(next_offset_, seen);
  return OkStatus();
}

}  // namespace millrace::worker
