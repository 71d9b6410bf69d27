#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/expr/value.h"

namespace millrace::worker {

inline constexpr int kMaxJsonDepth = 128;

// One JSON value as a CEL value. Objects and arrays stay text and are read on demand; whole numbers
// that fit are ints (or uints), all others doubles. The text is validated whole; what is not JSON
// gives an error value. Views point into `text` or `arena`.
Value JsonValue(ValueArena* arena, std::string_view text);

// The functions below require text that JsonValue accepted.
std::span<const Value> JsonElements(ValueArena* arena, std::string_view array);
// Members of an object; of repeated keys the last counts, as in every decoder.
std::vector<MapEntry> JsonMembers(ValueArena* arena, std::string_view object);
bool JsonFind(ValueArena* arena, std::string_view object, std::string_view key, Value* found);

// Writes a value as JSON: timestamps RFC 3339, durations "1.5s", bytes base64, optionals as value
// or null, integer map keys as text. kInvalid for NaN, infinities and types.
Status WriteJson(ValueArena* arena, const Value& value, std::string* out);

}  // namespace millrace::worker
