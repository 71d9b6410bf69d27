#include "operator/queue/backoff.h"

#include <algorithm>

namespace millrace::controller {

Duration BackoffDelay(const BackoffOptions& options, int64_t failures, uint64_t random) {
  Duration delay = options.base;
  for (int64_t i = 1; i < failures && delay < options.cap; ++i) {
    delay = delay > options.cap / 2 ? options.cap : delay * 2;
  }
  delay = std::min(delay, options.cap);
  const double share = static_cast<double>(random >> 11) * 0x1.0p-53;  // [0, 1)
  const auto cut =
      static_cast<int64_t>(static_cast<double>(delay.count()) * options.jitter * share);
  return delay - Duration(cut);
}

}  // namespace millrace::controller
