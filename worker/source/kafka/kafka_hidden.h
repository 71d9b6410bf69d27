#pragma once

#include <memory>
#include <string>

#include "worker/client/kafka/cluster.h"
#include "worker/data/raw_records.h"
#include "worker/data/type.h"

namespace millrace::worker {

// The hidden fields of Kafka records: __key (bytes?), __topic, __partition, __offset, __timestamp,
// __headers (map<string,bytes>, of equal names the last one), __tombstone. A value.
class KafkaHiddenFields {
 public:
  // Adds all of them to `schema`.
  static void AddTo(Schema* schema);

  // Those that `wanted` names; all of them when it is null.
  explicit KafkaHiddenFields(const Schema* wanted);

  // What must be fetched for them.
  KafkaColumns columns() const { return {key_, timestamp_, headers_}; }
  // Adds the columns of `records` to `raw->hidden`. kInternal for malformed headers.
  Status Fill(const KafkaRecords& records, const std::shared_ptr<const std::string>& topic,
              int partition, RawRecords* raw) const;

 private:
  bool key_ = false;
  bool topic_ = false;
  bool partition_ = false;
  bool offset_ = false;
  bool timestamp_ = false;
  bool headers_ = false;
  bool tombstone_ = false;
};

}  // namespace millrace::worker
