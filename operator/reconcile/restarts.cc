#include "operator/reconcile/restarts.h"

namespace millrace::controller {

RestartRecord CountRestarts(RestartRecord record, const api::RestartPolicy& policy,
                            int64_t restarts, int64_t attempt, TimePoint now) {
  const auto begin_anew = [&] {
    record.count = 0;
    record.last.reset();
    record.gave_up.reset();
  };
  if (record.gave_up && *record.gave_up != attempt) begin_anew();
  if (restarts > record.seen) {
    record.count += restarts - record.seen;
    record.last = now;
  }
  record.seen = restarts;
  if (record.gave_up) return record;
  if (record.last && now - *record.last >= policy.healthy_reset) begin_anew();
  if (policy.max_restarts && record.count > *policy.max_restarts) record.gave_up = attempt;
  return record;
}

}  // namespace millrace::controller
