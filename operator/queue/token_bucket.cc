#include "operator/queue/token_bucket.h"

#include <algorithm>

namespace millrace::controller {

Duration TokenBucket::Reserve(MonotonicTime now) {
  empty_since_ = std::max(empty_since_, now - depth_) + interval_;
  return std::max(empty_since_ - now, Duration(0));
}

}  // namespace millrace::controller
