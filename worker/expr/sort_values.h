#pragma once

#include <span>
#include <vector>

#include "worker/expr/value.h"

namespace millrace::worker {

// Sorts `values` by `keys` (one each), stably, NaN last. False, and nothing changed, when the keys
// are not of one ordered kind. `keys` may view `*values`.
bool SortValues(std::span<const Value> keys, std::vector<Value>* values);

}  // namespace millrace::worker
