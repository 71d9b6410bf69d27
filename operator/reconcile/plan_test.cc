#include "operator/reconcile/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/reconcile/simulated_cluster.h"
#include "operator/resources/revision.h"

namespace millrace::controller {
namespace {

using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TimePoint kNow{std::chrono::hours(24)};
BuildOptions Options() { return {.image = "millrace:0.1.0", .pull_secrets = {}}; }

std::vector<std::string> Writes(const Plan& plan) {
  std::vector<std::string> writes;
  for (const Action& action : plan.actions) {
    switch (action.kind) {
      case ActionKind::kAddFinalizer:
        writes.push_back("add finalizer");
        break;
      case ActionKind::kRemoveFinalizer:
        writes.push_back("remove finalizer");
        break;
      case ActionKind::kApply:
        writes.push_back("apply " + ToString(action.object.key));
        break;
      case ActionKind::kDelete:
        writes.push_back("delete " + ToString(action.object.key));
        break;
      case ActionKind::kDeleteJob:
        writes.push_back("delete job");
        break;
    }
  }
  return writes;
}

// The small job with all its objects, two ready workers and a status of the last pass.
SimulatedCluster Running() {
  SimulatedCluster cluster({.job = SmallJob(), .errors = {}, .status = {}, .objects = {}});
  for (int i = 0; i < 8; ++i) {
    cluster.Carry(MakePlan(cluster.world(), Options(), kNow), [] { return false; });
    cluster.Step(kNow);
  }
  return cluster;
}

TEST(PlanTest, ANewJobGetsItsFinalizerFirstAndItsDeploymentLast) {
  const World world{.job = SmallJob(), .errors = {}, .status = {}, .objects = {}};
  const std::string revision = RevisionOf(world.job.spec);
  EXPECT_THAT(
      Writes(MakePlan(world, Options(), kNow)),
      ElementsAre("add finalizer", "apply ServiceAccount/word-count-workers",
                  "apply ConfigMap/word-count-" + revision,
                  "apply ControllerRevision/word-count-" + revision,
                  "apply Service/word-count-workers", "apply NetworkPolicy/word-count-workers",
                  "apply PodDisruptionBudget/word-count-workers",
                  "apply Deployment/word-count-workers"));
}

TEST(PlanTest, ASecondPassOverAnUnchangedWorldWritesNothing) {
  SimulatedCluster cluster = Running();
  const Plan plan = MakePlan(cluster.world(), Options(), kNow);
  EXPECT_THAT(Writes(plan), IsEmpty());
  EXPECT_FALSE(plan.write_status);
  EXPECT_EQ(plan.status.phase, api::JobPhase::kRunning);
}

TEST(PlanTest, AnEditIsShownInStatusBeforeItIsActedUpon) {
  SimulatedCluster cluster = Running();
  cluster.world().job.spec.workers = 5;
  ++cluster.world().job.metadata.generation;
  const Plan first = MakePlan(cluster.world(), Options(), kNow);
  EXPECT_THAT(Writes(first), IsEmpty());
  EXPECT_EQ(first.status.edit, api::EditClass::kScale);
  EXPECT_THAT(first.status.edited, ElementsAre("workers"));
  cluster.Carry(first, [] { return false; });
  EXPECT_THAT(Writes(MakePlan(cluster.world(), Options(), kNow)),
              ElementsAre("apply Deployment/word-count-workers"));
}

TEST(PlanTest, AHotEditChangesTheJobFileAndNoPod) {
  SimulatedCluster cluster = Running();
  cluster.world().job.spec.batch_interval = std::chrono::seconds(3);
  cluster.world().memory.announced_generation = cluster.world().job.metadata.generation;
  const Plan plan = MakePlan(cluster.world(), Options(), kNow);
  EXPECT_EQ(plan.status.edit, api::EditClass::kHot);
  EXPECT_THAT(Writes(plan),
              ElementsAre("apply ConfigMap/word-count-" + RevisionOf(SmallJob().spec)));
}

TEST(PlanTest, AFixedFieldIsRefusedAndNothingThatRunsIsTouched) {
  SimulatedCluster cluster = Running();
  cluster.world().job.spec.max_parallelism = 7;
  cluster.world().job.spec.workers = 9;
  const Plan plan = MakePlan(cluster.world(), Options(), kNow);
  EXPECT_THAT(Writes(plan), IsEmpty());
  EXPECT_EQ(plan.status.conditions[0].status, api::JobCondition::Truth::kFalse);
  EXPECT_THAT(plan.status.conditions[0].message, HasSubstr("spec.maxParallelism"));
  EXPECT_THAT(plan.requeue_at, ::testing::AnyOf(std::nullopt, ::testing::Gt(kNow)));
}

TEST(PlanTest, AnObjectOfAnotherOwnerStopsThePassAndIsNamed) {
  World world{.job = SmallJob(), .errors = {}, .has_finalizer = true, .status = {}, .objects = {}};
  world.objects[{Kind::kService, "word-count-workers"}] = {
      .uid = "x", .owner_uid = "other", .job_label = "7d1c", .content = "", .replicas = {}};
  const Plan plan = MakePlan(world, Options(), kNow);
  EXPECT_THAT(Writes(plan), IsEmpty());
  EXPECT_THAT(plan.status.conditions[0].message, HasSubstr("Service/word-count-workers"));
}

TEST(PlanTest, AnOrphanWithTheJobsUidIsAdopted) {
  SimulatedCluster cluster = Running();
  cluster.world().objects.at({Kind::kService, "word-count-workers"}).owner_uid.clear();
  EXPECT_THAT(Writes(MakePlan(cluster.world(), Options(), kNow)),
              ElementsAre("apply Service/word-count-workers"));
}

TEST(PlanTest, TheOldJobFileIsDeletedOnceNoPodUsesIt) {
  SimulatedCluster cluster = Running();
  const std::string old = "delete ConfigMap/word-count-" + RevisionOf(cluster.world().job.spec);
  cluster.world().job.spec.on_error = api::ErrorPolicy::kSkip;
  ++cluster.world().job.metadata.generation;
  std::vector<std::string> writes;
  int64_t pods_at_delete = -1;
  for (int i = 0; i < 8; ++i) {
    const Plan plan = MakePlan(cluster.world(), Options(), kNow);
    for (const std::string& write : Writes(plan)) {
      writes.push_back(write);
      if (write == old) pods_at_delete = cluster.world().pods.total - cluster.world().pods.updated;
    }
    cluster.Carry(plan, [] { return false; });
    cluster.Step(kNow);
  }
  ASSERT_EQ(writes.size(), 4u) << "file, revision, workers; the old file goes";
  EXPECT_EQ(writes.back(), old);
  EXPECT_EQ(pods_at_delete, 0);
}

TEST(PlanTest, WhatOthersHaveChangedInAnObjectIsPutBack) {
  SimulatedCluster cluster = Running();
  cluster.world().objects.at({Kind::kService, "word-count-workers"}).drifted = true;
  EXPECT_THAT(Writes(MakePlan(cluster.world(), Options(), kNow)),
              ElementsAre("apply Service/word-count-workers"));
}

TEST(PlanTest, TheEndOfAJobIsSeenInItsPodsWhenNoWorkerLivesToSayIt) {
  SimulatedCluster cluster = Running();
  cluster.world().report.reset();
  cluster.world().pods.completed = true;
  const Plan plan = MakePlan(cluster.world(), Options(), kNow);
  EXPECT_EQ(plan.status.phase, api::JobPhase::kCompleted);
  EXPECT_EQ(plan.status.workers.desired, 0);
}

TEST(PlanTest, AReportOfAnEarlierRevisionDoesNotCompleteANewOne) {
  SimulatedCluster cluster = Running();
  cluster.world().report->completed = true;
  cluster.world().report->revision = "another";
  EXPECT_EQ(MakePlan(cluster.world(), Options(), kNow).status.phase, api::JobPhase::kRunning);
}

TEST(PlanTest, SuspendingKeepsEverythingButTheWorkers) {
  SimulatedCluster cluster = Running();
  cluster.world().job.spec.suspend = true;
  cluster.world().memory.announced_generation = cluster.world().job.metadata.generation;
  const Plan plan = MakePlan(cluster.world(), Options(), kNow);
  EXPECT_THAT(Writes(plan), ElementsAre("apply Deployment/word-count-workers"));
  EXPECT_EQ(plan.actions[0].object.replicas, 0);
  EXPECT_EQ(plan.status.phase, api::JobPhase::kSuspending);
}

void StopAll(World& world) {
  world.pods = {};
  world.objects.erase({Kind::kDeployment, "word-count-workers"});
}

struct DeletionCase {
  const char* name;
  void (*change)(World&);
  std::vector<std::string> writes;
};

TEST(DeletionTest, GoesFromWorkersToStateToFinalizerAndIsBounded) {
  const std::vector<std::string> stop{"delete Deployment/word-count-workers"};
  const std::vector<std::string> release{"remove finalizer"};
  const DeletionCase cases[] = {
      {"workers run", [](World&) {}, stop},
      {"workers are gone", [](World& w) { StopAll(w); }, {"apply Job/word-count-cleanup"}},
      {"cleanup done",
       [](World& w) {
         StopAll(w);
         w.cleanup = CleanupState::kDone;
       },
       release},
      {"state is kept",
       [](World& w) {
         StopAll(w);
         w.job.spec.deletion.delete_state = false;
       },
       release},
      {"deadline", [](World& w) { *w.deleted_at -= minutes(5); }, release},
      {"namespace goes", [](World& w) { w.namespace_terminating = true; }, release},
      {"asked to skip",
       [](World& w) { w.job.metadata.annotations[std::string(kSkipCleanupAnnotation)] = "true"; },
       release},
  };
  for (const DeletionCase& c : cases) {
    World world = Running().world();
    world.deleted_at = kNow;
    c.change(world);
    EXPECT_EQ(Writes(MakePlan(world, Options(), kNow)), c.writes) << c.name;
  }
}

}  // namespace
}  // namespace millrace::controller
