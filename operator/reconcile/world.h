#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/job_status.h"
#include "crds/base/clock.h"
#include "operator/reconcile/autoscaler.h"
#include "operator/resources/object.h"

// What one pass of the planner sees. All of it is read before the pass, by key and not by event, so
// that a lost or repeated event changes nothing. Values; thread-compatible.
namespace millrace::controller {

// An object of the job's namespace with a name that is ours, or that the job owns.
struct ObservedObject {
  std::string uid;
  std::string owner_uid;            // of its controller; empty: none
  std::string job_label;            // its kUidLabel
  std::string content;              // its kContentAnnotation
  std::optional<int64_t> replicas;  // spec.replicas of a Deployment
  bool deleting = false;
};

struct ObservedPods {
  int64_t total = 0;  // terminating ones included
  int64_t ready = 0;
  int64_t updated = 0;  // of the newest template
  int64_t restarts = 0;
};

enum class CleanupState { kRunning, kDone, kFailed };

// What the workers said over HTTP; none where nobody answers.
struct WorkerReport {
  int64_t committed_batch = 0;
  int64_t lag_records = 0;
  TimePoint last_commit;                     // or the last time without anything to commit
  bool completed = false;                    // all sources ended
  std::string halt;                          // why the job halted; empty: it did not
  std::optional<TimePoint> batch_time = {};  // of the newest committed batch, with its delays
  Duration scheduling_delay{0};
  Duration processing{0};
  std::string error = {};  // of the last batch that failed
  std::optional<TimePoint> error_time = {};
};

// What the planner remembers from pass to pass, written together with the status, as the text of
// its member `memory`.
struct Memory {
  std::map<std::string, std::string>
      applied;  // top-level field -> digest, of the last spec applied
  std::optional<int64_t> announced_generation;  // whose edit class status shows
  std::optional<TimePoint> completed_at;
  std::string completed_revision;
  ScalingRecord scaling;
  bool operator==(const Memory&) const = default;
};

struct World {
  api::StreamingJob job;
  api::Diagnostics errors;  // of the reader and the checks; with any, the spec is not acted upon
  std::optional<TimePoint> deleted_at;
  bool has_finalizer = false;
  bool namespace_terminating = false;
  api::JobStatus status;  // as last written
  Memory memory = {};     // as last written
  std::map<ObjectKey, ObservedObject> objects;
  ObservedPods pods;
  std::optional<CleanupState> cleanup;  // of the Job of BuildCleanupJob
  std::optional<WorkerReport> report;
  std::optional<LoadWindow> load;
};

}  // namespace millrace::controller
