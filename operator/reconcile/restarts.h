#pragma once

#include <cstdint>
#include <optional>

#include "crds/api/spec.h"

namespace millrace::controller {

// Failures of a job's workers, from pass to pass.
struct RestartRecord {
  int64_t count = 0;               // since the job was healthy
  int64_t seen = 0;                // by the pods that there were at the last pass
  std::optional<TimePoint> last;   // when the count grew
  std::optional<int64_t> gave_up;  // the attempt that failed too often
  bool operator==(const RestartRecord&) const = default;
};

// The record after pods that have restarted `restarts` times together. Counts what pods gained, so
// that pods that go take nothing with them; counts anew after policy.healthyReset without a
// failure, and for another attempt after one was given up. `attempt` grows with each edit of the
// spec and each roll-out. Pure; the same facts change nothing a second time.
RestartRecord CountRestarts(RestartRecord record, const api::RestartPolicy& policy,
                            int64_t restarts, int64_t attempt, TimePoint now);

}  // namespace millrace::controller
