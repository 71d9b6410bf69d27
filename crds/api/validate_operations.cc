#include "crds/api/validate.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

void CheckState(const State& state, Diagnostics* out) {
  const auto* redis = std::get_if<RedisState>(&state.kind);
  if (redis == nullptr) return;
  const bool sentinel = redis->mode == RedisState::Mode::kSentinel;
  if (sentinel && !redis->master_name)
    AddError(out, "spec.state.redis", "mode Sentinel needs a masterName");
  if (!sentinel && redis->master_name)
    AddError(out, "spec.state.redis.masterName", "works with mode: Sentinel only");
  if (redis->mode == RedisState::Mode::kStandalone && redis->addresses.size() > 1) {
    AddError(out, "spec.state.redis.addresses",
             "mode Standalone has one address, found " + std::to_string(redis->addresses.size()) +
                 "; use mode: Cluster or Sentinel for more");
  }
}

void CheckAutoscaling(const Autoscaling& scaling, const SourceMap& positions, Diagnostics* out) {
  const std::string path = "spec.autoscaling";
  if (scaling.mode == Autoscaling::Mode::kInternal && !scaling.max_workers)
    AddError(out, path, "mode Internal needs maxWorkers");
  if (scaling.max_workers && *scaling.max_workers < scaling.min_workers) {
    AddError(out, path + ".maxWorkers",
             "must be at least minWorkers (" + std::to_string(scaling.min_workers) + "), found " +
                 std::to_string(*scaling.max_workers));
  }
  if (scaling.mode != Autoscaling::Mode::kExternal) return;
  for (auto at = positions.upper_bound(path + ".");
       at != positions.end() && at->first.starts_with(path + "."); ++at) {
    if (at->first != path + ".mode")
      AddError(out, at->first, "External leaves the number of workers to others; remove it");
  }
}

void CheckResources(const Resources& resources, Diagnostics* out) {
  for (const auto& [name, request] : resources.requests) {
    const auto limit = resources.limits.find(name);
    if (limit == resources.limits.end()) continue;
    const Result<int64_t> low = ParseQuantityMilli(request);
    const Result<int64_t> high = ParseQuantityMilli(limit->second);
    if (!low.ok() || !high.ok() || *low <= *high) continue;
    AddError(out, "spec.resources.limits." + name,
             "the limit " + limit->second + " is below the request " + request);
  }
}

void CheckPod(const Pod& pod, Diagnostics* out) {
  for (size_t i = 0; i < pod.volumes.size(); ++i) {
    const std::string path = "spec.pod.volumes[" + std::to_string(i) + "]";
    if (!pod.volumes[i].mount_path.empty() && pod.volumes[i].mount_path.front() != '/') {
      AddError(out, path + ".mountPath",
               "must begin with /, found \"" + Excerpt(pod.volumes[i].mount_path) + "\"");
    }
    for (size_t j = 0; j < i; ++j) {
      if (pod.volumes[j].name == pod.volumes[i].name)
        AddError(out, path + ".name",
                 "the name \"" + pod.volumes[i].name + "\" is taken by volumes[" +
                     std::to_string(j) + "]");
    }
  }
}

}  // namespace

void ValidateOperations(const StreamingJob& job, const SourceMap& positions, Diagnostics* out) {
  const StreamingJobSpec& spec = job.spec;
  if (spec.state) CheckState(*spec.state, out);
  CheckAutoscaling(spec.autoscaling, positions, out);
  if (spec.restart_policy.backoff_cap < spec.restart_policy.backoff_base) {
    AddError(out, "spec.restartPolicy.backoffCap",
             "must be at least backoffBase (" + FormatDuration(spec.restart_policy.backoff_base) +
                 "), found " + FormatDuration(spec.restart_policy.backoff_cap));
  }
  CheckResources(spec.resources, out);
  CheckPod(spec.pod, out);
}

void Validate(const StreamingJob& job, const SourceMap& positions, Diagnostics* out) {
  ValidateNames(job, positions, out);
  ValidateGraph(job, out);
  ValidateDeadLetters(job, out);
  ValidateSteps(job, out);
  ValidateWindows(job, out);
  ValidateUpdates(job, out);
  ValidateSources(job, out);
  ValidateTables(job, out);
  ValidateSinks(job, out);
  ValidatePaths(job, out);
  ValidateOperations(job, positions, out);
}

}  // namespace millrace::api
