#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "crds/api/spec.h"
#include "worker/source/kafka/kafka_cursor.h"
#include "worker/source/source.h"

namespace millrace::worker {

// A partition as the brokers last described it.
struct KafkaPartitionView {
  std::string topic;
  int partition = 0;
  int64_t first = 0;  // log start offset
  int64_t end = 0;    // one past the last record that the source's isolation shows
};

struct KafkaView {
  std::map<std::string, std::string> topic_ids;
  std::vector<KafkaPartitionView> partitions;  // ascending by topic and partition
};

// Where partitions that a first start finds begin and end; by "topic/partition".
struct KafkaBounds {
  std::map<std::string, int64_t> starts;
  std::map<std::string, int64_t> ends;
};

struct KafkaOfferOptions {
  std::string source;  // for messages
  api::KafkaSource::MissingOffsets on_missing_offsets = api::KafkaSource::MissingOffsets::kFail;
  bool bounded = false;  // endAt: partitions found later are not read
};

// Adds the partitions of `view` that `cursor` lacks: those of a first start with their bounds, later ones from their first
// record. True when it added any. Pure.
bool AddPartitions(const KafkaView& view, const KafkaBounds& bounds, const KafkaOfferOptions& options, KafkaCursor* cursor);

// What could be read after `request.position` of the partitions of `cursor`; `view` says how far each reaches. A limit on all
// partitions is shared out by lag. Pure. kGone "OffsetOutOfRange: ..." with the wanted and the available offsets where the broker
// has dropped records that were not read yet and the policy is Fail.
Result<SourceOffer> OfferKafka(const KafkaCursor& cursor, const KafkaView& view, const KafkaOfferOptions& options,
                               const OfferRequest& request);

}  // namespace millrace::worker
