#pragma once

#include <cstdint>

#include "worker/data/civil_time.h"
#include "worker/expr/time_text.h"

namespace millrace::worker {

// CEL's durations are 64-bit nanoseconds; this in the microseconds of columns.
inline constexpr int64_t kMaxDurationMicros = INT64_MAX / 1000;

}  // namespace millrace::worker
