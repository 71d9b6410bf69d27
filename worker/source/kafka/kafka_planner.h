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

using KafkaOffsets = std::map<std::string, int64_t>;  // by "topic/partition"

// Where partitions begin and end: starts as a first start finds them, ends as the first start with
// endAt does.
struct KafkaBounds {
  KafkaOffsets starts;
  KafkaOffsets ends;
};

struct KafkaOfferOptions {
  std::string source;  // for messages
  api::KafkaSource::MissingOffsets on_missing_offsets = api::KafkaSource::MissingOffsets::kFail;
  bool bounded = false;  // endAt: partitions without an end in the bounds are not read
};

// Adds the partitions of `view` that `cursor` lacks, from their bound or else their first record,
// and gives all of them ends or takes those away, as the job has endAt or not. True when anything
// changed. Pure.
bool ExtendCursor(const KafkaView& view, const KafkaBounds& bounds,
                  const KafkaOfferOptions& options, KafkaCursor* cursor);

// What could be read after `request.position` of the partitions of `cursor`; `view` says how far
// each reaches. A limit on all partitions is shared out by lag. Pure. kGone "OffsetOutOfRange: ..."
// with the wanted and the available offsets where the broker has dropped records that were not read
// yet and the policy is Fail.
Result<SourceOffer> OfferKafka(const KafkaCursor& cursor, const KafkaView& view,
                               const KafkaOfferOptions& options, const OfferRequest& request);

}  // namespace millrace::worker
