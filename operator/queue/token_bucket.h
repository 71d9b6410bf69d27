#pragma once

#include "crds/base/clock.h"

namespace millrace::controller {

// Limits a rate over all keys: `burst` at once, then one every `interval`. Thread-compatible; time
// is an argument and must not go back.
class TokenBucket {
 public:
  // Requires: interval > 0, burst >= 1.
  TokenBucket(Duration interval, int burst) : interval_(interval), depth_(interval * burst) {}

  // Takes the next token, in the future if need be, and returns how long it is until then.
  Duration Reserve(MonotonicTime now);

 private:
  Duration interval_;
  Duration depth_;
  // The bucket is full when this is `depth_` or more ago; each token moves it on by one interval.
  MonotonicTime empty_since_ = MonotonicTime::min();
};

}  // namespace millrace::controller
