#include "operator/resources/build.h"

#include "operator/resources/revision.h"

namespace millrace::controller {

std::vector<Object> BuildObjects(const api::StreamingJob& job, const BuildOptions& options,
                                 int64_t replicas) {
  const std::string revision = RevisionOf(job.spec);
  std::vector<Object> objects;
  if (!job.spec.pod.service_account_name) objects.push_back(BuildServiceAccount(job));
  objects.push_back(BuildConfigMap(job, revision));
  objects.push_back(BuildRevision(job, revision));
  objects.push_back(BuildService(job));
  objects.push_back(BuildNetworkPolicy(job));
  objects.push_back(BuildDisruptionBudget(job));
  objects.push_back(BuildDeployment(job, options, revision, replicas));
  if (job.spec.metrics.pod_monitor) objects.push_back(BuildPodMonitor(job));
  return objects;
}

}  // namespace millrace::controller
