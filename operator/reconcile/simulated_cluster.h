#pragma once

#include <random>

#include "operator/reconcile/plan.h"
#include "operator/resources/testing.h"

// A cluster for tests of the planner: objects are stored as applied, a Deployment's pods and a
// cleanup's Job move on by one step in each Step. What it leaves out: contents of objects beyond
// the digest, scheduling, the roll-out of single pods (all new pods come at once).
namespace millrace::controller {

class SimulatedCluster {
 public:
  explicit SimulatedCluster(World world) : world_(std::move(world)) {}

  World& world() { return world_; }
  bool job_exists() const { return job_exists_; }
  // How many writes hit an object that is not the job's.
  int trespasses() const { return trespasses_; }

  // Carries out the plan; `fails` says for each action whether the API server refuses it, which
  // ends the pass before the status is written.
  void Carry(const Plan& plan, const std::function<bool()>& fails) {
    for (const Action& action : plan.actions) {
      if (fails()) return;
      Carry(action);
      if (action.object.key.kind == Kind::kDeployment) revision_ = plan.memory.rollout.revision;
    }
    if (!plan.write_status) return;
    world_.status = plan.status;
    world_.memory = plan.memory;
  }

  // The effects of other controllers; false when there were none.
  bool Step(TimePoint now) {
    const bool pods = StepPods(now);
    const bool cleanup = world_.cleanup == CleanupState::kRunning;
    if (cleanup) world_.cleanup = cleanup_works ? CleanupState::kDone : CleanupState::kFailed;
    return pods || cleanup;
  }

  bool cleanup_works = true;
  bool completes = false;
  bool commits = true;

 private:
  void Carry(const Action& action) {
    switch (action.kind) {
      case ActionKind::kAddFinalizer:
        world_.has_finalizer = true;
        return;
      case ActionKind::kRemoveFinalizer:
        world_.has_finalizer = false;
        job_exists_ = false;
        return;
      case ActionKind::kDeleteJob:
        world_.deleted_at = TimePoint{};
        return;
      case ActionKind::kDelete:
        CheckMine(action.object.key);
        world_.objects.erase(action.object.key);
        return;
      case ActionKind::kApply:
        CheckMine(action.object.key);
        if (action.object.key.kind == Kind::kCleanupJob) world_.cleanup = CleanupState::kRunning;
        world_.objects[action.object.key] = {.uid = "u" + std::to_string(++uids_),
                                             .owner_uid = world_.job.metadata.uid,
                                             .job_label = world_.job.metadata.uid,
                                             .content = action.object.content,
                                             .replicas = action.object.replicas};
        return;
    }
  }

  void CheckMine(const ObjectKey& key) {
    const auto it = world_.objects.find(key);
    if (it == world_.objects.end()) return;
    const std::string& uid = world_.job.metadata.uid;
    const bool adoptable = it->second.owner_uid.empty() && it->second.job_label == uid;
    if (it->second.owner_uid != uid && !adoptable) ++trespasses_;
  }

  bool StepPods(TimePoint now) {
    const ObjectKey key{Kind::kDeployment, ChildName(world_.job.metadata.name, "workers")};
    const auto it = world_.objects.find(key);
    const bool mine = it != world_.objects.end() && it->second.owner_uid == world_.job.metadata.uid;
    const int64_t wanted = mine ? it->second.replicas.value_or(0) : 0;
    const std::string content = mine ? it->second.content : "";
    ObservedPods next = world_.pods;
    if (content != running_) {
      next.updated = wanted;
      next.total = wanted + (world_.pods.total > 0 ? 1 : 0);  // an old one still hands over
      next.ready = 0;
      running_ = content;
    } else {
      next = {.total = wanted, .ready = wanted, .updated = wanted};
    }
    const bool moved = next.total != world_.pods.total || next.ready != world_.pods.ready ||
                       next.updated != world_.pods.updated;
    world_.pods = next;
    if (next.ready > 0 && !world_.report) {
      world_.report = WorkerReport{.revision = revision_,
                                   .committed = commits,
                                   .last_commit = now,
                                   .completed = completes,
                                   .halt = {}};
      return true;
    }
    if (next.total == 0 && world_.report) {
      world_.report.reset();
      return true;
    }
    if (world_.report) {
      world_.report->last_commit = now;
      world_.report->revision = revision_;
      world_.report->committed = commits;
    }
    return moved;
  }

  World world_;
  std::string running_;
  std::string revision_;  // of the template of the Deployment
  bool job_exists_ = true;
  int trespasses_ = 0;
  int uids_ = 0;
};

}  // namespace millrace::controller
