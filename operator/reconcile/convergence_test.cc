#include <gtest/gtest.h>

#include <algorithm>

#include "operator/reconcile/simulated_cluster.h"
#include "operator/resources/build.h"

namespace millrace::controller {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kWorlds = 300;  // at a thirtieth of the speed
#else
constexpr int kWorlds = 10'000;
#endif
constexpr int kMaxPasses = 60;
constexpr TimePoint kStart{std::chrono::hours(24)};

BuildOptions Options() { return {.image = "millrace:0.1.0", .pull_secrets = {}}; }

// Two spec variants are parsed once; worlds differ by edits of values.
api::StreamingJob RandomJob(std::mt19937_64& random) {
  static const api::StreamingJob jobs[] = {SmallJob(), FullJob()};
  api::StreamingJob job = jobs[random() % 2];
  job.metadata.generation = static_cast<int64_t>(random() % 5);
  job.spec.workers = static_cast<int64_t>(random() % 4);
  job.spec.suspend = random() % 5 == 0;
  job.spec.metrics.pod_monitor = random() % 2 == 0;
  job.spec.deletion.delete_state = random() % 3 != 0;
  if (random() % 4 == 0) job.spec.ttl_after_finished = std::chrono::minutes(random() % 30);
  if (random() % 10 == 0) job.spec.state.reset();  // refused
  if (random() % 5 == 0) {
    job.spec.autoscaling.mode = api::Autoscaling::Mode::kInternal;
    job.spec.autoscaling.max_workers = 8;
  }
  return job;
}

void EditSpec(std::mt19937_64& random, api::StreamingJob* job) {
  ++job->metadata.generation;
  job->spec.workers = static_cast<int64_t>(random() % 4);
  if (random() % 2 == 0) job->spec.batch_interval += std::chrono::seconds(1);
  if (random() % 6 == 0) job->spec.max_parallelism = 64;
  if (random() % 3 == 0) job->spec.pod.service_account_name = "own";
}

// Someone takes away, changes or takes over objects.
void Disturb(std::mt19937_64& random, World* world) {
  for (auto it = world->objects.begin(); it != world->objects.end();) {
    switch (random() % 8) {
      case 0:
        it = world->objects.erase(it);
        continue;
      case 1:
        it->second.content = "edited";
        break;
      case 2:
        it->second.owner_uid.clear();
        if (random() % 2 == 0) it->second.job_label = "another";
        break;
      case 3:
        if (it->second.replicas) *it->second.replicas += 1;
        break;
      default:
        break;
    }
    ++it;
  }
}

struct Outcome {
  bool quiet = false;
  int passes = 0;
};

// Passes until one asks for nothing, nothing moves, and no time is waited for; then one more, which
// must ask for nothing either.
Outcome Settle(SimulatedCluster* cluster, std::mt19937_64& random, TimePoint* now) {
  Outcome outcome;
  int failures = 5;
  const auto fails = [&] { return failures > 0 && random() % 8 == 0 && failures-- > 0; };
  for (; outcome.passes < kMaxPasses && cluster->job_exists(); ++outcome.passes) {
    *now += std::chrono::seconds(1);
    const Plan plan = MakePlan(cluster->world(), Options(), *now);
    cluster->Carry(plan, fails);
    const bool moved = cluster->Step(*now);
    if (!plan.actions.empty() || plan.write_status || moved) continue;
    const bool waits =
        plan.requeue_at && (cluster->world().deleted_at || cluster->world().memory.completed_at);
    if (waits) {
      *now = *plan.requeue_at;
      continue;
    }
    const Plan again = MakePlan(cluster->world(), Options(), *now);
    outcome.quiet = again.actions.empty() && !again.write_status;
    return outcome;
  }
  outcome.quiet = !cluster->job_exists();
  return outcome;
}

// What a settled world of an accepted spec must look like.
void ExpectAsAsked(const World& world, uint64_t seed) {
  const api::JobStatus& status = world.status;
  if (world.deleted_at || status.conditions[0].status != api::JobCondition::Truth::kTrue) return;
  const auto wanted =
      BuildObjects(InForce(world, world.memory.rollout), Options(), *status.workers.desired);
  EXPECT_EQ(world.pods.total, *status.workers.desired) << "seed " << seed;
  for (const Object& object : wanted) {
    const auto seen = world.objects.find(object.key);
    ASSERT_NE(seen, world.objects.end()) << "seed " << seed << ToString(object.key);
    EXPECT_EQ(seen->second.content, object.content) << "seed " << seed << ToString(object.key);
    EXPECT_EQ(seen->second.replicas, object.replicas) << "seed " << seed << ToString(object.key);
  }
  // Revisions of before are kept.
  const auto counts = [](const ObjectKey& key) { return key.kind != Kind::kRevision; };
  const auto owned = std::count_if(world.objects.begin(), world.objects.end(), [&](const auto& o) {
    return counts(o.first) && o.second.owner_uid == world.job.metadata.uid;
  });
  const auto expected = std::count_if(wanted.begin(), wanted.end(),
                                      [&](const Object& object) { return counts(object.key); });
  EXPECT_EQ(owned, expected) << "seed " << seed;
}

void RunWorld(uint64_t seed) {
  std::mt19937_64 random(seed);
  SimulatedCluster cluster({.job = RandomJob(random), .errors = {}, .status = {}, .objects = {}});
  cluster.cleanup_works = random() % 3 != 0;
  cluster.completes = random() % 6 == 0;
  TimePoint now = kStart;
  for (int round = 0; round < 2 && cluster.job_exists(); ++round) {
    ASSERT_TRUE(Settle(&cluster, random, &now).quiet) << "seed " << seed << " round " << round;
    ExpectAsAsked(cluster.world(), seed);
    EditSpec(random, &cluster.world().job);
    Disturb(random, &cluster.world());
  }
  if (cluster.job_exists()) {
    if (!cluster.world().deleted_at) cluster.world().deleted_at = now;
    cluster.world().namespace_terminating = random() % 4 == 0;
    ASSERT_TRUE(Settle(&cluster, random, &now).quiet) << "seed " << seed << " deletion";
  }
  ASSERT_FALSE(cluster.job_exists()) << "seed " << seed << ": the finalizer stays";
  ASSERT_EQ(cluster.trespasses(), 0) << "seed " << seed;
}

// From any state, with refused writes, edits and meddling, passes come to an end; then they ask for
// nothing; a deletion always lets the job go; no other's object is written.
TEST(ConvergenceTest, EveryWorldSettlesAndThenNothingIsDone) {
  for (uint64_t seed = 0; seed < kWorlds; ++seed) {
    RunWorld(seed);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::controller
