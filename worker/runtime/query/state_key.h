#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// The encoded key that a query names: a JSON object with every key field in its JSON form, or, for
// a key of one field, its value as plain text. kInvalid with what is wrong.
Result<std::string> ParseStateKey(const std::vector<std::string>& names,
                                  const std::vector<Type>& types, const std::string& text);

}  // namespace millrace::worker
