#pragma once

#include <memory>

#include "crds/api/spec.h"
#include "worker/table/table.h"

namespace millrace::worker {

// A loader that reads a compacted topic to its end at the first Load and goes on from there with
// each later one. Its versions name the offsets read. Errors: kNotFound for a missing topic, kGone
// where it was recreated, kInvalid for a record that does not decode (named by topic, partition and
// offset), two record keys that write one table key, or too many rows.
Result<std::unique_ptr<TableLoader>> MakeKafkaTableLoader(const api::Table& table,
                                                          const api::KafkaTable& kafka,
                                                          const TableLoaderOptions& options);

}  // namespace millrace::worker
