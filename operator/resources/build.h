#pragma once

#include <string>
#include <vector>

#include "operator/resources/object.h"

namespace millrace::controller {

// What the operator was installed with.
struct BuildOptions {
  std::string image;  // of workers whose job names none
  api::StreamingJobSpec::PullPolicy pull_policy = api::StreamingJobSpec::PullPolicy::kIfNotPresent;
  std::vector<std::string> pull_secrets;
  int64_t user_id = 10001;  // of the workers' processes and files; at least 10000
};

// All objects a running job has, in the order in which they are applied; Deployments get
// `replicas`. Deterministic: equal arguments give equal bytes. Every object lies in the job's
// namespace and is owned by the job. Pure; one file for each kind. Requires: CheckForCluster(job)
// found nothing, job.metadata has name, ns and uid, and its generation is the number of the
// roll-out, by which workers know the newer one of two job files.
std::vector<Object> BuildObjects(const api::StreamingJob& job, const BuildOptions& options,
                                 int64_t replicas);

Object BuildServiceAccount(const api::StreamingJob& job);
Object BuildConfigMap(const api::StreamingJob& job, const std::string& revision);
// The spec as SnapshotOf has it, kept to return to. Its data never changes.
Object BuildRevision(const api::StreamingJob& job, const std::string& revision);
Object BuildService(const api::StreamingJob& job);
Object BuildNetworkPolicy(const api::StreamingJob& job);
Object BuildDisruptionBudget(const api::StreamingJob& job);
Object BuildDeployment(const api::StreamingJob& job, const BuildOptions& options,
                       const std::string& revision, int64_t replicas);
Object BuildPodMonitor(const api::StreamingJob& job);
// Runs once `millrace state reset` with the job's own file and Secrets, since the operator may read
// no Secret: removes plans, commits and state of a job whose workers are gone.
Object BuildCleanupJob(const api::StreamingJob& job, const BuildOptions& options);

}  // namespace millrace::controller
