#pragma once

#include <map>
#include <string>
#include <string_view>

#include "crds/base/status.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

// What the fields of a ledger (see scripts.h) say to `generation`. kInternal for fields that no
// ledger has. Pure.
Result<SinkLedger> ParseRedisLedger(const std::map<std::string, std::string>& fields,
                                    const std::string& generation);

// The number in a ledger's field `fence`, 0 where it has none.
Result<int64_t> FenceOf(std::string_view field);

}  // namespace millrace::worker
