#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/reconcile/world.h"
#include "operator/resources/build.h"

namespace millrace::controller {

enum class ActionKind { kAddFinalizer, kRemoveFinalizer, kApply, kDelete, kDeleteJob };
struct Action {
  ActionKind kind = ActionKind::kApply;
  Object object;    // kApply: what; kDelete: its key
  std::string uid;  // kDelete: only this very object
};

struct Event {
  bool warning = false;
  std::string reason;
  std::string message;
};

// What one pass asks for: the actions in order, then status and memory in one write if they differ
// from the recorded ones, then, if that write succeeded, the events. `requeue_at`: when time alone
// makes another pass worth while.
struct Plan {
  std::vector<Action> actions;
  api::JobStatus status;
  Memory memory;
  bool write_status = false;
  std::vector<Event> events;
  std::optional<TimePoint> requeue_at;
};

// What stands in the way of a job besides its phase.
struct Trouble {
  std::string refusal;  // why the spec is not acted upon
  std::string reason;   // RolledBack, TooManyRestarts, CrashLoop or Halted
  std::string message;
};

// Decides one pass over a job. Level-triggered and idempotent: when the actions have had their
// effect, the next plan has none. Never touches an object that is not the job's. A spec with
// errors, or one that edits a fixed field, changes nothing that runs. Pure.
Plan MakePlan(const World& world, const BuildOptions& options, TimePoint now);

// The half for a job that is being deleted: workers to zero, then the state, then the finalizer.
// Bounded by spec.deletion.timeout, after which the finalizer goes whatever is left.
void PlanDeletion(const World& world, const BuildOptions& options, TimePoint now, Plan* plan);

// The workers that should run: none when suspended, completed or given up, the autoscaler's number
// or spec.workers otherwise. Pure.
int64_t DesiredWorkers(const World& world, const Memory& memory);

// The phase, the first that fits of: Completed, Failed, Suspending or Suspended, Pending, Failed
// (all workers crash), Stalled, Upgrading, Starting, Rescaling, Running. `settled`: every object is
// as it should be. Pure.
api::JobPhase PhaseOf(const World& world, const Plan& plan, bool settled, TimePoint now);

// What the status has to say beside the phase; `refusal` as it is. Pure.
Trouble TroubleOf(const World& world, const Plan& plan, const std::string& refusal);

// Accepted, Ready, Reconciling and Stalled for `phase`; the time of transition moves only when a
// condition turns.
std::vector<api::JobCondition> ConditionsOf(const std::vector<api::JobCondition>& old,
                                            api::JobPhase phase, const Trouble& trouble,
                                            TimePoint now);

}  // namespace millrace::controller
