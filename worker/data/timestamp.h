#pragma once

#include <cstdint>
#include <string_view>

#include "crds/api/spec.h"

namespace millrace::worker {

// The common RFC 3339 form, "YYYY-MM-DDTHH:MM:SS[.f]Z", without a Result around the value: for
// decoders. False for every other text, valid or not; ParseTimestampMicros judges those.
bool ParsePlainRfc3339(std::string_view text, int64_t* micros);
// The same for the form that `kind` usually has: plain RFC 3339, or up to 15 digits in the unit.
bool ParsePlainTimestamp(api::TimestampKind kind, std::string_view text, int64_t* micros);

}  // namespace millrace::worker
