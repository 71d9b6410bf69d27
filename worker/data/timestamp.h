#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::worker {

// The common RFC 3339 form, "YYYY-MM-DDTHH:MM:SS[.f]Z", without a Result around the value: for
// decoders. False for every other text, valid or not; ParseTimestampMicros judges those.
bool ParsePlainRfc3339(std::string_view text, int64_t* micros);

}  // namespace millrace::worker
