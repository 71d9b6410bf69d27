#include "operator/reconcile/plan.h"

#include <algorithm>

#include "crds/api/edit_class.h"
#include "crds/base/text.h"
#include "operator/reconcile/ownership.h"
#include "operator/resources/cluster_rules.h"
#include "operator/resources/revision.h"

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

// A worker ends at once when the job has, so what its pod says of its end counts as well as what it
// answered. Of another revision neither does.
void UpdateCompletion(const World& world, TimePoint now, const std::string& revision,
                      Memory* memory) {
  if (memory->completed_at && memory->completed_revision != revision)
    memory->completed_at.reset();  // an edit starts it anew
  const bool told = world.report && world.report->completed && world.report->revision == revision;
  if (memory->completed_at || !(told || world.pods.completed)) return;
  memory->completed_at = now;
  memory->completed_revision = revision;
}

bool IsCurrent(const Object& object, const ObservedObject& seen, const std::string& uid) {
  if (OwnershipOf(seen, uid) != Ownership::kOurs || seen.drifted) return false;
  return seen.content == object.content && (!object.replicas || seen.replicas == object.replicas);
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

// A revision that can be returned to, or looked up.
bool IsKept(const World& world, const RolloutRecord& rollout, const ObjectKey& key) {
  if (key.kind != Kind::kRevision) return false;
  const auto names = [&](const std::string& revision) {
    return key.name == ChildName(world.job.metadata.name, revision);
  };
  return (!rollout.good.empty() && names(rollout.good)) ||
         std::any_of(rollout.history.begin(), rollout.history.end(), names);
}

// Deletes what the job owns and no longer wants, once no pod can still use it.
void PlanGarbage(const World& world, const std::vector<Object>& wanted, Plan* plan) {
  if (!plan->actions.empty() || world.pods.updated < world.pods.total) return;
  for (const auto& [key, object] : world.objects) {
    const bool is_wanted =
        IsKept(world, plan->memory.rollout, key) ||
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

// Another pass when time alone changes what would be decided.
void NoteTimes(const World& world, TimePoint now, Plan* plan) {
  const api::StreamingJobSpec& spec = world.job.spec;
  const auto look_at = [&](TimePoint due) {
    if (due > now) plan->requeue_at = std::min(plan->requeue_at.value_or(due), due);
  };
  if (world.report && plan->status.phase == JobPhase::kRunning)
    look_at(world.report->last_commit + spec.health_check.stalled_after);
  const RolloutRecord& rollout = plan->memory.rollout;
  if (world.good && rollout.since && rollout.revision != rollout.good)
    look_at(*rollout.since + spec.upgrade.rollback->deadline);
  const RestartRecord& restarts = plan->memory.restarts;
  if (restarts.last && !restarts.gave_up)
    look_at(*restarts.last + spec.restart_policy.healthy_reset);
}

void SetCounts(const World& world, api::JobStatus* status) {
  status->observed_generation = world.job.metadata.generation;
  status->selector = SelectorText(world.job.metadata);
  status->workers.current = world.pods.total;
  status->workers.ready = world.pods.ready;
  status->workers.updated = world.pods.updated;
}

// The workers' progress moves with every batch; a status that is otherwise the same shows it anew
// after this long.
constexpr Duration kProgressInterval = std::chrono::seconds(30);

void ShowProgress(const World& world, api::JobStatus* status) {
  const std::string& failure = world.pods.failure;
  if (!failure.empty() && !(status->last_error && status->last_error->message == failure))
    status->last_error = api::JobError{.message = Excerpt(failure, kMaxErrorBytes), .time = {}};
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
  status.conditions =
      ConditionsOf(status.conditions, *status.phase, TroubleOf(world, *plan, refusal), now);
  status.restarts = plan->memory.restarts.count;
  NoteTimes(world, now, plan);
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

RolloutFacts FactsOf(const World& world, const std::string& asked, const Memory& memory) {
  const std::optional<api::Rollback>& rollback = world.job.spec.upgrade.rollback;
  RolloutFacts facts{.asked = asked, .generation = world.job.metadata.generation};
  if (world.report && world.report->committed) facts.committed = world.report->revision;
  facts.runs = DesiredWorkers(world, memory) > 0;
  facts.failed = memory.restarts.gave_up.has_value();
  if (rollback && rollback->enabled) facts.deadline = rollback->deadline;
  facts.may_return = world.good.has_value();
  return facts;
}

// Which revision is in force from now on, with the events of a change.
void Judge(const World& world, const std::string& asked, TimePoint now, Plan* plan) {
  RolloutRecord& rollout = plan->memory.rollout;
  const std::string refused = rollout.refused;
  rollout = Advance(rollout, FactsOf(world, asked, plan->memory), now);
  if (!rollout.refused.empty() && rollout.refused != refused)
    plan->events.push_back({true, "RolledBack", RefusedText(rollout)});
}

// What of the job in force is planned: its workers' number and its objects.
std::string PlanInForce(const World& world, const api::FieldDigests& asked,
                        const BuildOptions& options, TimePoint now, Plan* plan) {
  api::JobStatus& status = plan->status;
  Memory& memory = plan->memory;
  const api::StreamingJob job = InForce(world, memory.rollout);
  status.revision = memory.rollout.revision;
  UpdateCompletion(world, now, memory.rollout.revision, &memory);
  if (!memory.completed_at) {
    const RestartRecord before = memory.restarts;
    memory.restarts = CountRestarts(before, world.job.spec.restart_policy, world.pods.restarts,
                                    world.job.metadata.generation + memory.rollout.number, now);
    if (memory.restarts.gave_up && !before.gave_up)
      plan->events.push_back({true, "TooManyRestarts", TroubleOf(world, *plan, "").message});
  }
  const api::Autoscaling& scaling = job.spec.autoscaling;
  if (scaling.mode == api::Autoscaling::Mode::kInternal && scaling.max_workers)
    memory.scaling = Scale(scaling, memory.scaling, job.spec.workers, world.load);
  const int64_t desired = DesiredWorkers(world, memory);
  status.workers.desired = desired;
  const auto wanted = BuildObjects(job, options, desired);
  const std::string refusal = PlanObjects(world, wanted, plan);
  if (refusal.empty() && plan->actions.empty()) {
    memory.applied = memory.rollout.refused.empty() ? asked : DigestFields(job.spec);
    status.edit = EditClass::kNone;
    status.edited.clear();
    PlanGarbage(world, wanted, plan);
  }
  return refusal;
}

void PlanRunning(const World& world, const BuildOptions& options, TimePoint now, Plan* plan) {
  const api::FieldDigests asked = DigestFields(world.job.spec);
  const std::string revision = RevisionOf(asked);
  const bool returned = plan->memory.rollout.refused == revision && world.good.has_value();
  const Edit edit =
      api::Classify(plan->memory.applied,
                    returned ? DigestFields(InForce(world, plan->memory.rollout).spec) : asked);
  std::string refusal = Refusal(world, edit);
  const bool act = Announce(world, edit, plan) && refusal.empty();
  if (act) {
    Judge(world, revision, now, plan);
    refusal = PlanInForce(world, asked, options, now, plan);
    PlanTtl(world, now, plan);
  } else if (refusal.empty()) {
    plan->requeue_at = now;
  }
  Finish(world, now, refusal, plan);
}

}  // namespace

api::StreamingJob InForce(const World& world, const RolloutRecord& rollout) {
  api::StreamingJob job = world.job;
  const bool returned =
      !rollout.refused.empty() && world.good && rollout.refused == RevisionOf(world.job.spec);
  if (returned) job.spec = Returned(*world.good, world.job.spec);
  job.metadata.generation = rollout.number;
  return job;
}

Plan MakePlan(const World& world, const BuildOptions& options, TimePoint now) {
  Plan plan;
  plan.status = world.status;
  plan.memory = world.memory;
  SetCounts(world, &plan.status);
  if (world.deleted_at) {
    plan.status.phase = JobPhase::kDeleting;
    plan.status.conditions = ConditionsOf(plan.status.conditions, JobPhase::kDeleting, {}, now);
    World in_force = world;
    in_force.job = InForce(world, plan.memory.rollout);
    PlanDeletion(in_force, options, now, &plan);
    plan.write_status = world.has_finalizer && plan.status != world.status;
    return plan;
  }
  if (!world.has_finalizer)
    plan.actions.push_back({.kind = ActionKind::kAddFinalizer, .object = {}, .uid = {}});
  PlanRunning(world, options, now, &plan);
  return plan;
}

}  // namespace millrace::controller
