#include "operator/resources/build.h"

#include "operator/resources/job_file.h"

namespace millrace::controller {

std::string CurrentRevision(const api::StreamingJob& job) { return RevisionOf(job); }

std::vector<Object> BuildObjects(const api::StreamingJob& job, const BuildOptions& options,
                                 int64_t replicas) {
  std::vector<Object> objects;
  if (!job.spec.pod.service_account_name) objects.push_back(BuildServiceAccount(job));
  objects.push_back(BuildConfigMap(job));
  objects.push_back(BuildService(job));
  objects.push_back(BuildNetworkPolicy(job));
  objects.push_back(BuildDisruptionBudget(job));
  objects.push_back(BuildDeployment(job, options, replicas));
  if (job.spec.metrics.pod_monitor) objects.push_back(BuildPodMonitor(job));
  return objects;
}

}  // namespace millrace::controller
