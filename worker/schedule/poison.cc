#include "worker/schedule/poison.h"

namespace millrace::worker {
namespace {

class CountingConsumer final : public RecordConsumer {
 public:
  Status OnRaw(RawRecords records) override {
    count_ += static_cast<int64_t>(records.payloads.size());
    return OkStatus();
  }
  Status OnBatch(RecordBatch batch, int64_t) override {
    count_ += static_cast<int64_t>(batch.num_rows());
    return OkStatus();
  }
  int64_t count() const { return count_; }

 private:
  int64_t count_ = 0;
};

}  // namespace

Result<int64_t> CountRange(Source* source, const PlannedRange& range) {
  CountingConsumer consumer;
  RETURN_IF_ERROR(
      source->Read({range.partition, range.from, range.to, range.proof, range.records}, &consumer));
  return consumer.count();
}

std::map<int, std::map<int64_t, std::string>> ExclusionsOf(const BatchPlan& plan,
                                                           const std::string& source) {
  std::map<int, std::map<int64_t, std::string>> exclusions;
  for (const Exclusion& exclusion : plan.exclusions) {
    if (exclusion.source == source)
      exclusions[exclusion.partition][exclusion.index] = exclusion.message;
  }
  return exclusions;
}

}  // namespace millrace::worker
