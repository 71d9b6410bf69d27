#include "worker/sink/http/retry.h"

#include <algorithm>
#include <charconv>

#include "crds/base/text.h"
#include "worker/data/format.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

HttpOutcome OutcomeOf(int status) {
  if (status >= 200 && status < 300) return HttpOutcome::kDelivered;
  if (status == 408 || status == 425 || status == 429 || status >= 500) return HttpOutcome::kRetry;
  return HttpOutcome::kRejected;
}

std::optional<Duration> RetryAfter(const HttpResponse& response, TimePoint now) {
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return std::nullopt;
  const std::string_view text = Trim(header->second);
  uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size())
    return std::chrono::seconds(seconds);
  if (!text.ends_with(" GMT")) return std::nullopt;
  const Result<int64_t> micros =
      ParseTimeLayout("%a, %d %b %Y %H:%M:%S", text.substr(0, text.size() - 4));
  if (!micros.ok()) return std::nullopt;
  return std::max(Duration(*micros) - now.time_since_epoch(), Duration(0));
}

Duration BackoffPolicy::Wait(int attempt, uint64_t seed, std::optional<Duration> asked) const {
  const Duration full = std::min(cap, base * (int64_t{1} << std::clamp(attempt, 0, 20)));
  const std::string text = std::to_string(seed) + "/" + std::to_string(attempt);
  const Duration jittered =
      full / 2 + Duration(static_cast<int64_t>(HashKey(text) % 1000) * (full / 2).count() / 1000);
  return std::max(jittered, std::min(asked.value_or(Duration(0)), retry_after_cap));
}

}  // namespace millrace::worker
