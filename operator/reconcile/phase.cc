#include <algorithm>

#include "operator/reconcile/plan.h"

namespace millrace::controller {
namespace {

using api::JobCondition;
using api::JobPhase;

constexpr size_t kMaxMessage = 2048;

bool IsStalled(const World& world, TimePoint now) {
  return world.report && world.report->halt.empty() &&
         now - world.report->last_commit >= world.job.spec.health_check.stalled_after;
}

// A condition whose truth is the same keeps its time.
void Turn(const std::vector<JobCondition>& old, JobCondition* next) {
  const auto it = std::find_if(old.begin(), old.end(),
                               [&](const JobCondition& c) { return c.type == next->type; });
  if (it != old.end() && it->status == next->status)
    next->last_transition_time = it->last_transition_time;
  if (next->message.size() > kMaxMessage) next->message.resize(kMaxMessage);
}

const char* NameOf(JobPhase phase) {
  switch (phase) {
    case JobPhase::kPending:
      return "Pending";
    case JobPhase::kStarting:
      return "Starting";
    case JobPhase::kRunning:
      return "Running";
    case JobPhase::kUpgrading:
      return "Upgrading";
    case JobPhase::kRescaling:
      return "Rescaling";
    case JobPhase::kSuspending:
      return "Suspending";
    case JobPhase::kSuspended:
      return "Suspended";
    case JobPhase::kStalled:
      return "Stalled";
    case JobPhase::kCompleted:
      return "Completed";
    case JobPhase::kFailed:
      return "Failed";
    case JobPhase::kDeleting:
      return "Deleting";
  }
  return "";
}

}  // namespace

int64_t DesiredWorkers(const World& world, const Memory& memory) {
  const api::StreamingJobSpec& spec = world.job.spec;
  if (spec.suspend || memory.completed_at || memory.restarts.gave_up) return 0;
  const bool internal = spec.autoscaling.mode == api::Autoscaling::Mode::kInternal;
  return internal ? memory.scaling.workers.value_or(spec.workers) : spec.workers;
}

JobPhase PhaseOf(const World& world, const Plan& plan, bool settled, TimePoint now) {
  const ObservedPods& pods = world.pods;
  const int64_t desired = plan.status.workers.desired.value_or(0);
  if (plan.memory.completed_at) return JobPhase::kCompleted;
  if (plan.memory.restarts.gave_up) return JobPhase::kFailed;
  if (world.report && !world.report->halt.empty()) return JobPhase::kFailed;
  if (desired == 0) return pods.total > 0 ? JobPhase::kSuspending : JobPhase::kSuspended;
  if (pods.total == 0) return JobPhase::kPending;
  if (pods.crashing == pods.total) return JobPhase::kFailed;
  if (IsStalled(world, now)) return JobPhase::kStalled;
  if (!world.report) return JobPhase::kStarting;
  if (!settled || pods.updated < desired) return JobPhase::kUpgrading;
  const bool right = pods.total == desired && pods.ready == pods.total;
  return right ? JobPhase::kRunning : JobPhase::kRescaling;
}

Trouble TroubleOf(const World& world, const Plan& plan, const std::string& refusal) {
  const RestartRecord& restarts = plan.memory.restarts;
  const RolloutRecord& rollout = plan.memory.rollout;
  if (!refusal.empty()) return {refusal, "Refused", ""};
  if (restarts.gave_up)
    return {"", "TooManyRestarts",
            "workers failed " + std::to_string(restarts.count) +
                " times; edit the spec to try again" +
                (world.pods.failure.empty() ? "" : ": " + world.pods.failure)};
  if (world.report && !world.report->halt.empty()) return {"", "Halted", world.report->halt};
  if (world.pods.total > 0 && world.pods.crashing == world.pods.total)
    return {"", "CrashLoop", world.pods.failure};
  if (!rollout.refused.empty()) return {"", "RolledBack", RefusedText(rollout)};
  return {"", "", world.pods.failure};
}

std::vector<JobCondition> ConditionsOf(const std::vector<JobCondition>& old, JobPhase phase,
                                       const Trouble& trouble, TimePoint now) {
  const bool accepted = trouble.refusal.empty();
  const bool stuck = !trouble.reason.empty() || phase == JobPhase::kStalled;
  const bool resting = !stuck && (phase == JobPhase::kRunning || phase == JobPhase::kSuspended ||
                                  phase == JobPhase::kCompleted);
  const std::string name = NameOf(phase);
  std::vector<JobCondition> conditions;
  const auto add = [&](const char* type, bool holds, const std::string& reason,
                       const std::string& message) {
    JobCondition& condition = conditions.emplace_back();
    condition.type = type;
    condition.status = holds ? JobCondition::Truth::kTrue : JobCondition::Truth::kFalse;
    condition.reason = reason;
    condition.message = message;
    condition.last_transition_time = now;
    Turn(old, &condition);
  };
  add("Accepted", accepted, accepted ? "Valid" : "Refused", trouble.refusal);
  add("Ready", resting, name, resting ? "" : trouble.message);
  add("Reconciling", !stuck && !resting, name, "");
  add("Stalled", stuck, trouble.reason.empty() ? name : trouble.reason,
      stuck ? trouble.message : "");
  return conditions;
}

}  // namespace millrace::controller
