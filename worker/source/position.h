#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crds/base/status.h"
#include "worker/source/source.h"

namespace millrace::worker {

// The whole of `text` as a decimal number.
std::optional<int64_t> ParseNumber(std::string_view text);
// A position that a plan or commit names. kGone ("StateLost: ...") when it is no number of at least
// 0; `what` names its owner: "a generator".
Result<uint64_t> ParsePosition(std::string_view text, std::string_view what);
// The position of one partition; 0 where it has none yet.
Result<uint64_t> PositionAt(const SourcePosition& position, int partition, std::string_view what);

}  // namespace millrace::worker
