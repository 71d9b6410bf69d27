#pragma once

#include <cstdint>

#include "crds/base/clock.h"

namespace millrace::controller {

// How long a key waits after it failed. A value.
struct BackoffOptions {
  Duration base = std::chrono::milliseconds(200);
  Duration cap = std::chrono::minutes(5);
  double jitter = 0.2;  // 0..1: a delay is shortened by up to this share of itself
};

// The wait before the retry after the `failures`-th failure in a row (1, 2, ...): base, twice as
// long each time, never more than cap, shortened at random so that keys which failed together do
// not come back together. `random` is any 64 random bits. Pure.
// Requires: base > 0, cap >= base.
Duration BackoffDelay(const BackoffOptions& options, int64_t failures, uint64_t random);

}  // namespace millrace::controller
