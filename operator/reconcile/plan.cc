#include "operator/reconcile/plan.h"

#include <algorithm>

#include "crds/api/edit_class.h"
#include "crds/base/text.h"
#include "operator/reconcile/ownership.h"
#include "operator/resources/cluster_rules.h"

namespace millrace::controller {
namespace {

using api::Edit;
using api::EditClass;
using api::JobPhase;

constexpr size_t kMaxErrors = 10;        // in one message
constexpr size_t kMaxErrorBytes = 2048;  // of status.lastError

std::string TextOf(const api::Diagnostics& errors) {
  std::string text;
  for (size_t i = 0; i < errors.size() && i < kMaxErrors; ++i)
    text += (i > 0 ? "; " : "") + errors[i].path + ": " + errors[i].message;
  return text;
}

// Why the spec is not acted upon; empty when it is.
std::string Refusal(const World& world, const Edit& edit) {
  if (!world.errors.empty()) return TextOf(world.errors);
  if (const api::Diagnostics found = CheckForCluster(world.job); !found.empty())
    return TextOf(found);
  if (edit.edit_class != EditClass::kFixed) return "";
  return "spec." + FieldsOf(edit, EditClass::kFixed).front() +
         " cannot change; restore it, or make a new job";
}

void UpdateCompletion(const World& world, TimePoint now, const std::string& revision,
                      Memory* memory) {
  if (memory->completed_at && memory->completed_revision != revision)
    memory->completed_at.reset();  // an edit starts it anew
  if (memory->completed_at || !world.report || !world.report->completed) return;
  if (memory->completed_revision == revision) return;
  memory->completed_at = now;
  memory->completed_revision = revision;
}

bool IsCurrent(const Object& object, const ObservedObject& seen, const std::string& uid) {
  return OwnershipOf(seen, uid) == Ownership::kOurs && seen.content == object.content &&
         (!object.replicas || seen.replicas == object.replicas);
}

// Applies what is missing or different. Another's object of our name stops the pass before anything
// is written: half a job would only hide the conflict.
std::string PlanObjects(const World& world, const std::vector<Object>& wanted, Plan* plan) {
  const std::string& uid = world.job.metadata.uid;
  std::vector<Action> actions;
  for (const Object& object : wanted) {
    const auto seen = world.objects.find(object.key);
    if (seen != world.objects.end()) {
      if (OwnershipOf(seen->second, uid) == Ownership::kForeign)
        return ToString(object.key) + " exists and is not of this job; remove or rename it";
      if (seen->second.deleting || IsCurrent(object, seen->second, uid)) continue;
    }
    actions.push_back({.kind = ActionKind::kApply, .object = object, .uid = {}});
  }
  plan->actions.insert(plan->actions.end(), actions.begin(), actions.end());
  return "";
}

// Deletes what the job owns and no longer wants, once no pod can still use it.
void PlanGarbage(const World& world, const std::vector<Object>& wanted, Plan* plan) {
  if (!plan->actions.empty() || world.pods.updated < world.pods.total) return;
  for (const auto& [key, object] : world.objects) {
    const bool is_wanted =
        std::any_of(wanted.begin(), wanted.end(), [&](const Object& w) { return w.key == key; });
    const bool ours = OwnershipOf(object, world.job.metadata.uid) == Ownership::kOurs;
    if (is_wanted || !ours || object.deleting) continue;
    plan->actions.push_back(
        {.kind = ActionKind::kDelete, .object = {.key = key}, .uid = object.uid});
  }
}

void PlanTtl(const World& world, TimePoint now, Plan* plan) {
  if (!plan->memory.completed_at || !world.job.spec.ttl_after_finished) return;
  const TimePoint due = *plan->memory.completed_at + *world.job.spec.ttl_after_finished;
  if (now < due) {
    plan->requeue_at = due;
  } else if (plan->actions.empty()) {
    plan->actions.push_back({.kind = ActionKind::kDeleteJob, .object = {}, .uid = {}});
  }
}

void NoteStall(const World& world, TimePoint now, Plan* plan) {
  if (!world.report || plan->status.phase != JobPhase::kRunning) return;
  const TimePoint due = world.report->last_commit + world.job.spec.health_check.stalled_after;
  if (due > now) plan->requeue_at = std::min(plan->requeue_at.value_or(due), due);
}

void SetCounts(const World& world, api::JobStatus* status) {
  status->observed_generation = world.job.metadata.generation;
  status->selector = SelectorText(world.job.metadata);
  status->workers.current = world.pods.total;
  status->workers.ready = world.pods.ready;
  status->workers.updated = world.pods.updated;
  status->restarts = world.pods.restarts;
}

// The workers' progress moves with every batch; a status that is otherwise the same shows it anew
// after this long.
constexpr Duration kProgressInterval = std::chrono::seconds(30);

void ShowProgress(const World& world, api::JobStatus* status) {
  if (!world.report) return;
  const WorkerReport& report = *world.report;
  status->lag_records = report.lag_records;
  status->batch.committed = report.committed_batch;
  if (report.batch_time) {
    status->batch.time = report.batch_time;
    status->batch.duration = report.processing;
    status->batch.scheduling_delay = report.scheduling_delay;
    status->batch.total_delay = report.scheduling_delay + report.processing;
  }
  if (!report.error.empty())
    status->last_error =
        api::JobError{.message = Excerpt(report.error, kMaxErrorBytes), .time = report.error_time};
}

bool IsProgressDue(const World& world) {
  if (!world.report || !world.report->batch_time) return false;
  const std::optional<TimePoint>& shown = world.status.batch.time;
  return !shown || *world.report->batch_time >= *shown + kProgressInterval;
}

void Finish(const World& world, TimePoint now, const std::string& refusal, Plan* plan) {
  api::JobStatus& status = plan->status;
  const bool settled = plan->actions.empty() && status.edit == EditClass::kNone;
  status.phase = !refusal.empty() && world.pods.total == 0 ? JobPhase::kFailed
                                                           : PhaseOf(world, *plan, settled, now);
  status.conditions = ConditionsOf(status.conditions, *status.phase, refusal, now);
  NoteStall(world, now, plan);
  plan->write_status =
      status != world.status || plan->memory != world.memory || IsProgressDue(world);
  if (plan->write_status) ShowProgress(world, &status);
  if (!refusal.empty() && plan->write_status) plan->events.push_back({true, "Refused", refusal});
}

// Shows the class of an edit in one pass and acts upon it in the next.
bool Announce(const World& world, const Edit& edit, Plan* plan) {
  api::JobStatus& status = plan->status;
  status.edit = edit.edit_class;
  status.edited = edit.fields;
  const bool known = plan->memory.announced_generation == world.job.metadata.generation;
  plan->memory.announced_generation = world.job.metadata.generation;
  return edit.fields.empty() || known;
}

void PlanRunning(const World& world, const BuildOptions& options, TimePoint now, Plan* plan) {
  api::JobStatus& status = plan->status;
  Memory& memory = plan->memory;
  const api::FieldDigests digests = DigestFields(world.job.spec);
  const Edit edit = api::Classify(memory.applied, digests);
  std::string refusal = Refusal(world, edit);
  const bool act = Announce(world, edit, plan) && refusal.empty();
  if (!act) {
    if (refusal.empty()) plan->requeue_at = now;
    return Finish(world, now, refusal, plan);
  }
  status.revision = CurrentRevision(world.job);
  UpdateCompletion(world, now, *status.revision, &memory);
  const api::Autoscaling& scaling = world.job.spec.autoscaling;
  if (scaling.mode == api::Autoscaling::Mode::kInternal && scaling.max_workers)
    memory.scaling = Scale(scaling, memory.scaling, world.job.spec.workers, world.load);
  const int64_t desired = DesiredWorkers(world, memory);
  status.workers.desired = desired;
  const auto wanted = BuildObjects(world.job, options, desired);
  refusal = PlanObjects(world, wanted, plan);
  if (refusal.empty() && plan->actions.empty()) {
    memory.applied = digests;
    status.edit = EditClass::kNone;
    status.edited.clear();
    PlanGarbage(world, wanted, plan);
  }
  PlanTtl(world, now, plan);
  Finish(world, now, refusal, plan);
}

}  // namespace

Plan MakePlan(const World& world, const BuildOptions& options, TimePoint now) {
  Plan plan;
  plan.status = world.status;
  plan.memory = world.memory;
  SetCounts(world, &plan.status);
  if (world.deleted_at) {
    plan.status.phase = JobPhase::kDeleting;
    plan.status.conditions = ConditionsOf(plan.status.conditions, JobPhase::kDeleting, "", now);
    PlanDeletion(world, options, now, &plan);
    plan.write_status = world.has_finalizer && plan.status != world.status;
    return plan;
  }
  if (!world.has_finalizer)
    plan.actions.push_back({.kind = ActionKind::kAddFinalizer, .object = {}, .uid = {}});
  PlanRunning(world, options, now, &plan);
  return plan;
}

}  // namespace millrace::controller
