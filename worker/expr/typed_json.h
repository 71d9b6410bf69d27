#pragma once

#include <string>

#include "worker/data/type.h"
#include "worker/expr/value.h"

namespace millrace::worker {

// A JSON value read as a value of `type`: numbers widen to double, timestamps are RFC 3339,
// durations "1.5s", bytes base64, members that are missing are null where the type allows it.
// `problem` says what does not fit. `type` must outlive the result.
Value JsonAsType(ValueArena* arena, const Value& json, const Type& type, std::string* problem);

}  // namespace millrace::worker
