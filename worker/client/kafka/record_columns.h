#pragma once

#include <cstdint>
#include <string_view>

#include "crds/base/status.h"
#include "worker/client/kafka/record_batch.h"
#include "worker/client/kafka/records.h"

namespace millrace::worker {

// Which records of a batch are wanted.
struct OffsetWindow {
  int64_t from = 0;
  int64_t to = 0;  // exclusive
};

// Appends the records of `batch` inside `window` to the columns of `out`, as views of `payload`,
// the batch's records unpacked. One pass, nothing copied or allocated per record. Requires:
// kKafkaPadding readable bytes behind `payload`. kInternal for malformed records; `out` is then of
// no use.
Status AppendRecords(const KafkaRecordBatch& batch, std::string_view payload, OffsetWindow window,
                     KafkaColumns columns, KafkaRecords* out);

}  // namespace millrace::worker
