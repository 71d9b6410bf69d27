#pragma once

#include <cstdint>
#include <string>

#include "crds/api/spec.h"
#include "worker/data/column.h"

namespace millrace::worker {

// Appends row `row` of `column` as one JSON value, nested values included: timestamps as
// `timestamps` says, durations "1.5s", bytes base64, json as it is. With `omit_null` null members
// of structs are left out (never elements of lists or maps). Returns false when a double is NaN or
// infinite; "null" stands in its place, so the text is valid JSON either way.
bool AppendJsonValue(const Column& column, size_t row, const api::TimestampFormat& timestamps,
                     bool omit_null, std::string* out);

// The parts of the above, for writers with a layout of their own.
void AppendJsonInt(int64_t value, std::string* out);
void AppendJsonUint(uint64_t value, std::string* out);
// Shortest text that reads back. Requires: finite.
void AppendJsonDouble(double value, std::string* out);
// CEL's text of a duration: seconds with as many fraction digits as needed, "1.5s", "-90s".
void AppendDurationSeconds(int64_t micros, std::string* out);

}  // namespace millrace::worker
