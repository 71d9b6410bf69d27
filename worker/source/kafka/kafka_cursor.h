#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// A topic partition that the job reads, under the number of its unit.
struct KafkaUnit {
  std::string topic;
  int partition = 0;
  int64_t start = 0;           // first offset of the job's life
  std::optional<int64_t> end;  // first offset not read (endAt)

  bool operator==(const KafkaUnit&) const = default;
};

// What a Kafka source has decided once and for all: which partitions it reads, from where, under
// which unit numbers, and the ids of their topics, by which a recreated topic is told from the one
// that was read. Units are numbered as they are found and never change. A value. Stored form,
// version 1, fields separated by tabs, one line each:
//   kafka 1 | topic <name> <id> | unit <topic> <partition> <start> <end or ->
struct KafkaCursor {
  std::map<std::string, std::string> topic_ids;
  std::vector<KafkaUnit> units;

  // The unit of a partition, -1 for none.
  int Find(std::string_view topic, int partition) const;
  std::string Encode() const;
  // kInternal for text that Encode did not write. Empty text is an empty cursor.
  static Result<KafkaCursor> Decode(std::string_view text);

  bool operator==(const KafkaCursor&) const = default;
};

// What a plan notes of a range, so that it can be read without the cursor:
// "<topic>\t<partition>\t<topic id>".
struct KafkaProof {
  std::string topic;
  int partition = 0;
  std::string topic_id;

  std::string Encode() const;
  static Result<KafkaProof> Decode(std::string_view text);
};

// "lines/3": how messages and startFrom.offsets name a partition.
std::string KafkaPartitionName(std::string_view topic, int partition);

}  // namespace millrace::worker
