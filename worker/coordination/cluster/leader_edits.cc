// The leader's part in edits of the job: giving way to another spec, and taking back what the
// former spec planned and did not finish (protocol section 13).
#include <algorithm>
#include <set>
#include <utility>

#include "worker/coordination/cluster/leader_core.h"

namespace millrace::worker {
// When enough members of a newer spec wait, or none of this one is left to stay.
void LeaderCore::YieldToOtherSpec(MonotonicTime now) {
  if (stepping_down_) return;
  std::set<std::string> live{self_.member};
  for (const auto& [member, watched] : watched_) {
    if (watched.alive) live.insert(member);
  }
  if (SpecToRun(facts_, live, false) != config_.spec.hash) StepDown(now);
}

// Requires: the generation is fenced and has the former spec's hash. No older generation writes any
// more, so what no ledger names is seen by nobody.
void LeaderCore::TakeBackPlans(const LedgerFacts& ledgers, MonotonicTime now) {
  const int64_t batch = facts_.commit.batch + 1;
  const std::string planned = "UpgradeBlocked: batch " + std::to_string(batch) +
                              " was planned by the job's former version, ";
  const std::string remedy =
      "; run the former job file until it commits (`millrace state resume`, start its workers, "
      "stop "
      "them), then this one";
  if (HasBegun(facts_, ledgers, batch))
    return HaltWith(InvalidError(planned + "and some of its output is written" + remedy), now);
  if (!SameSinks(facts_, config_.spec))
    return HaltWith(InvalidError(planned + "for other sinks (edited: spec.sinks)" + remedy), now);
  AmendPlan request{lease_, generation_.name, {}};
  request.plan.batch = batch;
  Call(request, [this](const StoreReply& reply, MonotonicTime at) {
    const auto again = [this](MonotonicTime later) { Restart(reason_, later); };
    if (!Failed("take back plans", reply, again, at)) Restart("the job was edited", at);
  });
}

}  // namespace millrace::worker
