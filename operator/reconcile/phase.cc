#include <algorithm>

#include "operator/reconcile/plan.h"

namespace millrace::controller {
namespace {

constexpr size_t kMaxMessage = 2048;

bool IsStalled(const World& world, TimePoint now) {
  return world.report && world.report->halt.empty() &&
         now - world.report->last_commit >= world.job.spec.health_check.stalled_after;
}

Condition Turned(const std::vector<Condition>& old, Condition next) {
  const auto it =
      std::find_if(old.begin(), old.end(), [&](const Condition& c) { return c.type == next.type; });
  if (it != old.end() && it->holds == next.holds) next.since = it->since;
  if (next.message.size() > kMaxMessage) next.message.resize(kMaxMessage);
  return next;
}

const char* NameOf(Phase phase) {
  switch (phase) {
    case Phase::kPending:
      return "Pending";
    case Phase::kStarting:
      return "Starting";
    case Phase::kRunning:
      return "Running";
    case Phase::kUpgrading:
      return "Upgrading";
    case Phase::kRescaling:
      return "Rescaling";
    case Phase::kSuspending:
      return "Suspending";
    case Phase::kSuspended:
      return "Suspended";
    case Phase::kStalled:
      return "Stalled";
    case Phase::kCompleted:
      return "Completed";
    case Phase::kFailed:
      return "Failed";
    case Phase::kDeleting:
      return "Deleting";
  }
  return "";
}

}  // namespace

int64_t DesiredWorkers(const World& world, const Memory& memory) {
  const api::StreamingJobSpec& spec = world.job.spec;
  if (spec.suspend || memory.completed_at) return 0;
  const bool internal = spec.autoscaling.mode == api::Autoscaling::Mode::kInternal;
  return internal ? memory.scaling.workers.value_or(spec.workers) : spec.workers;
}

Phase PhaseOf(const World& world, const JobStatus& status, bool settled, TimePoint now) {
  const ObservedPods& pods = world.pods;
  if (status.memory.completed_at) return Phase::kCompleted;
  if (world.report && !world.report->halt.empty()) return Phase::kFailed;
  if (status.desired_workers == 0) return pods.total > 0 ? Phase::kSuspending : Phase::kSuspended;
  if (pods.total == 0) return Phase::kPending;
  if (IsStalled(world, now)) return Phase::kStalled;
  if (!world.report) return Phase::kStarting;
  if (!settled || pods.updated < status.desired_workers) return Phase::kUpgrading;
  const bool right = pods.total == status.desired_workers && pods.ready == pods.total;
  return right ? Phase::kRunning : Phase::kRescaling;
}

std::vector<Condition> ConditionsOf(const std::vector<Condition>& old, Phase phase,
                                    const std::string& refusal, TimePoint now) {
  const std::string name = NameOf(phase);
  const bool accepted = refusal.empty();
  const bool stuck = !accepted || phase == Phase::kStalled || phase == Phase::kFailed;
  const bool resting =
      phase == Phase::kRunning || phase == Phase::kSuspended || phase == Phase::kCompleted;
  return {Turned(old, {"Accepted", accepted, accepted ? "Valid" : "Refused", refusal, now}),
          Turned(old, {"Ready", accepted && resting, name, "", now}),
          Turned(old, {"Reconciling", !stuck && !resting, name, "", now}),
          Turned(old, {"Stalled", stuck, accepted ? name : "Refused", "", now})};
}

}  // namespace millrace::controller
