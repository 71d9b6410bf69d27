#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "crds/base/clock.h"
#include "worker/client/http_client.h"

namespace millrace::worker {

// What a sink does with an answer.
enum class HttpOutcome {
  kDelivered,  // 2xx
  kRetry,      // 408, 425, 429, 5xx
  kRejected,   // anything else: the same request would be refused again
};
HttpOutcome OutcomeOf(int status);

// The wait that the receiver asks for: seconds or an HTTP date (RFC 9110, 10.2.3) relative to
// `now`; empty when absent or unreadable, never negative.
std::optional<Duration> RetryAfter(const HttpResponse& response, TimePoint now);

// Exponential back-off with jitter (Brooker, "Exponential Backoff And Jitter", 2015): the wait
// before attempt n + 1 is between half of and the whole of base * 2^n, at most `cap`. `seed`
// decides the jitter, so that equal calls wait equally long.
struct BackoffPolicy {
  int attempts = 5;
  Duration base = std::chrono::milliseconds(200);
  Duration cap = std::chrono::seconds(5);
  Duration retry_after_cap = std::chrono::seconds(30);

  Duration Wait(int attempt, uint64_t seed, std::optional<Duration> asked) const;
};

}  // namespace millrace::worker
