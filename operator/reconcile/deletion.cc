#include "operator/reconcile/ownership.h"
#include "operator/reconcile/plan.h"
#include "operator/resources/revision.h"

//   state              leaves it by
//   workers run        Deployment deleted, pods gone -> state is cleaned
//   state is cleaned   Job done, or nothing to clean -> finalizer removed
//   any                deadline, skip-cleanup, a vanishing namespace -> finalizer removed
namespace millrace::controller {
namespace {

void Release(Plan* plan, bool warning, std::string reason, std::string message) {
  plan->actions.push_back({.kind = ActionKind::kRemoveFinalizer, .object = {}, .uid = {}});
  plan->events.push_back({warning, std::move(reason), std::move(message)});
}

bool WantsSkip(const api::ObjectMeta& job) {
  const auto it = job.annotations.find(std::string(kSkipCleanupAnnotation));
  return it != job.annotations.end() && it->second == "true";
}

// Deletes the Deployment of the job; its pods hand over as on any stop.
void StopWorkers(const World& world, Plan* plan) {
  for (const auto& [key, object] : world.objects) {
    const bool ours = OwnershipOf(object, world.job.metadata.uid) == Ownership::kOurs;
    if (key.kind != Kind::kDeployment || !ours || object.deleting) continue;
    plan->actions.push_back(
        {.kind = ActionKind::kDelete, .object = {.key = key}, .uid = object.uid});
  }
}

// Applies what the cleanup needs: its account, its job file, then itself.
void StartCleanup(const World& world, const BuildOptions& options, Plan* plan) {
  const api::StreamingJob& job = world.job;
  std::vector<Object> wanted;
  if (!job.spec.pod.service_account_name) wanted.push_back(BuildServiceAccount(job));
  wanted.push_back(BuildConfigMap(job, RevisionOf(job.spec)));
  wanted.push_back(BuildCleanupJob(job, options));
  for (Object& object : wanted) {
    const auto it = world.objects.find(object.key);
    if (it != world.objects.end() &&
        (OwnershipOf(it->second, job.metadata.uid) == Ownership::kForeign ||
         object.key.kind == Kind::kCleanupJob || it->second.content == object.content))
      continue;  // the template of a Job cannot change, and another's object is not ours to write
    plan->actions.push_back({.kind = ActionKind::kApply, .object = std::move(object), .uid = {}});
  }
}

}  // namespace

void PlanDeletion(const World& world, const BuildOptions& options, TimePoint now, Plan* plan) {
  if (!world.has_finalizer) return;
  const api::Deletion& deletion = world.job.spec.deletion;
  const TimePoint deadline = *world.deleted_at + deletion.timeout;
  if (WantsSkip(world.job.metadata))
    return Release(plan, true, "CleanupSkipped", "state is left in Redis, as asked");
  if (world.namespace_terminating)
    return Release(plan, true, "CleanupSkipped", "the namespace is going; state is left in Redis");
  if (now >= deadline)
    return Release(plan, true, "CleanupTimedOut",
                   "spec.deletion.timeout is over; state may be left in Redis");
  plan->requeue_at = deadline;
  StopWorkers(world, plan);
  if (world.pods.total > 0) return;
  if (!deletion.delete_state) return Release(plan, false, "StateKept", "the job's state is kept");
  if (!world.errors.empty())
    return Release(plan, true, "CleanupSkipped", "the spec is invalid; state may be left in Redis");
  if (world.cleanup == CleanupState::kDone)
    return Release(plan, false, "StateDeleted", "the job's state is deleted");
  StartCleanup(world, options, plan);
}

}  // namespace millrace::controller
