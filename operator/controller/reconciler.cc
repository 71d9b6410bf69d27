#include "operator/controller/reconciler.h"

#include <algorithm>

#include "crds/base/log.h"

namespace millrace::controller {
namespace {

using api::JobPhase;

constexpr Duration kUnaskedWait = std::chrono::seconds(1);

// The name that status.phase shows.
std::string NameOf(const std::optional<JobPhase>& phase) {
  for (const api::JobCondition& condition :
       ConditionsOf({}, phase.value_or(JobPhase::kPending), {}, TimePoint{})) {
    if (condition.type == "Ready") return condition.reason;
  }
  return "";
}

EventSubject SubjectOf(const Observed& observed) {
  const api::ObjectMeta& job = observed.world.job.metadata;
  return {job.ns, job.name, job.uid, observed.record.resource_version};
}

std::string NameOf(ActionKind kind) {
  switch (kind) {
    case ActionKind::kAddFinalizer:
      return "add finalizer";
    case ActionKind::kRemoveFinalizer:
      return "remove finalizer";
    case ActionKind::kApply:
      return "apply";
    case ActionKind::kDelete:
      return "delete";
    case ActionKind::kDeleteJob:
      return "delete job";
  }
  return "";
}

bool IsTrouble(JobPhase phase) { return phase == JobPhase::kStalled || phase == JobPhase::kFailed; }

void LogPlan(const std::string& key, const Plan& plan) {
  for (const Action& action : plan.actions)
    Log(LogLevel::kInfo, "dry run: would act",
        {{"job", key},
         {"action", NameOf(action.kind)},
         {"object", action.object.key.name.empty() ? key : ToString(action.object.key)}});
  if (plan.write_status)
    Log(LogLevel::kInfo, "dry run: would write status",
        {{"job", key}, {"phase", NameOf(plan.status.phase)}});
}

}  // namespace

Reconciler::Reconciler(const ClusterView* view, Client* client, PendingWrites* pending,
                       ProgressPoller* progress, EventRecorder* events, const Clock* clock,
                       ReconcilerOptions options)
    : view_(view),
      pending_(pending),
      progress_(progress),
      events_(events),
      clock_(clock),
      options_(std::move(options)),
      observer_(view, client, options_.build),
      executor_(client, pending, clock) {}

PassResult Reconciler::Pass(const std::string& key, std::stop_token stop) {
  if (!view_->Job(key)) {
    progress_->Forget(key);
    return {};
  }
  if (const Duration wait = pending_->Wait(key, clock_->Monotonic()); wait > Duration(0))
    return {OkStatus(), wait};
  const ProgressTracker progress = progress_->Of(key);
  const Result<Observed> observed = observer_.Observe(key, &progress, stop);
  if (!observed.ok()) return {observed.status()};
  progress_->Follow(key, observed->world.job.spec.metrics.port);
  // Before the workers were asked, their silence means nothing: a new leader would show a job that
  // runs as one that starts.
  if (!progress.asked()) return {OkStatus(), kUnaskedWait};
  const TimePoint now = clock_->Now();
  const Plan plan = MakePlan(observed->world, options_.build, now);
  const Status status = CarryOut(*observed, plan, stop);
  if (!status.ok()) return {status};
  Duration again = options_.resync;
  if (plan.requeue_at) again = std::clamp(*plan.requeue_at - now, Duration(1), options_.resync);
  return {OkStatus(), again};
}

Status Reconciler::CarryOut(const Observed& observed, const Plan& plan,
                            const std::stop_token& stop) {
  const api::ObjectMeta& job = observed.world.job.metadata;
  if (options_.dry_run) {
    LogPlan(job.ns + "/" + job.name, plan);
    return OkStatus();
  }
  const Status status = executor_.CarryOut(observed, plan, stop);
  if (status.ok()) {
    Tell(observed, plan, stop);
  } else if (!status.retryable() && status.code() != StatusCode::kConflict) {
    TellFailure(observed, status, stop);
  }
  return status;
}

void Reconciler::Tell(const Observed& observed, const Plan& plan, const std::stop_token& stop) {
  const EventSubject subject = SubjectOf(observed);
  for (const Event& event : plan.events) events_->Record(subject, event, stop);
  const std::optional<JobPhase>& phase = plan.status.phase;
  if (!plan.write_status || !phase || phase == observed.world.status.phase) return;
  const api::WorkerStatus& workers = plan.status.workers;
  events_->Record(subject,
                  {IsTrouble(*phase), NameOf(phase),
                   std::to_string(workers.ready.value_or(0)) + " of " +
                       std::to_string(workers.desired.value_or(0)) + " workers are ready"},
                  stop);
}

void Reconciler::TellFailure(const Observed& observed, const Status& status,
                             const std::stop_token& stop) {
  events_->Record(SubjectOf(observed), {true, "ReconcileFailed", status.message()}, stop);
}

}  // namespace millrace::controller
