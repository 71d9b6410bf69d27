#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/kube/api_answer.h"
#include "operator/kube/resource.h"
#include "operator/reconcile/world.h"

// What is kept of the objects of a cluster: the members that decisions rest on. Each is read from
// the JSON of one object; none for JSON without them. Pure.
namespace millrace::controller {

inline constexpr std::string_view kInstanceLabel = "app.kubernetes.io/instance";
// Objects and pods of jobs, and nothing else.
std::string ChildSelector();
Resource ResourceOf(Kind kind);
Resource JobResource();

struct JobRecord {
  std::string uid;
  std::string resource_version;
  std::optional<TimePoint> deleted_at;
  std::vector<std::string> finalizers;
  std::string json;  // without managedFields
  bool operator==(const JobRecord&) const = default;
};
std::optional<JobRecord> ReadJobRecord(const RawObject& object);

// A Deployment, Service, ... of a job.
struct ChildRecord {
  std::string job;  // name, by the instance label
  std::string resource_version;
  ObservedObject object;
  std::string owned;                    // fields we applied and still have, as managedFields
  int64_t updated_replicas = 0;         // of a Deployment: pods of the template as it is now
  std::optional<CleanupState> cleanup;  // of a Job
};
std::optional<ChildRecord> ReadChildRecord(const RawObject& object);

// The spec that a ControllerRevision of ours keeps; none for anything else.
std::optional<api::StreamingJobSpec> ReadRevision(const RawObject& object);

struct PodRecord {
  std::string job;
  std::string job_uid;
  bool is_worker = false;
  std::string ip;
  bool ready = false;
  bool deleting = false;
  bool finished = false;       // phase Succeeded or Failed
  bool unschedulable = false;  // found no node
  int64_t restarts = 0;
  std::string revision;
  bool crashing = false;   // failed and waits for its next start
  bool completed = false;  // its worker ended because the job has
  std::string failure;     // how its worker failed last, or why it cannot start
};
std::optional<PodRecord> ReadPodRecord(const RawObject& object);

}  // namespace millrace::controller
