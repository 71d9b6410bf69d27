#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/job_status.h"
#include "crds/base/clock.h"
#include "operator/reconcile/autoscaler.h"
#include "operator/reconcile/restarts.h"
#include "operator/reconcile/rollout.h"
#include "operator/resources/object.h"

// What one pass of the planner sees. All of it is read before the pass, by key and not by event, so
// that a lost or repeated event changes nothing. Values; thread-compatible.
namespace millrace::controller {

// An object of the job's namespace with a name that is ours, or that the job owns.
struct ObservedObject {
  std::string uid;
  std::string version;              // opaque; empty: not known
  std::string owner_uid;            // of its controller; empty: none
  std::string job_label;            // its kUidLabel
  std::string content;              // its kContentAnnotation
  std::optional<int64_t> replicas;  // spec.replicas of a Deployment
  bool deleting = false;
  bool drifted = false;  // others have taken fields that were applied
};

struct ObservedPods {
  int64_t total = 0;  // terminating ones included
  int64_t ready = 0;
  int64_t updated = 0;  // of the newest template
  int64_t restarts = 0;
  int64_t crashing = 0;      // failed and wait for their next start
  bool completed = false;    // one of the revision in force said that the job has ended
  std::string failure = {};  // what one said when it failed, or why it cannot start
};

enum class CleanupState { kRunning, kDone, kFailed };

// What the workers said over HTTP; none where nobody answers.
struct WorkerReport {
  std::string revision = {};  // of the worker that spoke
  bool committed = false;     // under this revision, or there was nothing to commit
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
  RolloutRecord rollout;
  RestartRecord restarts;
  bool operator==(const Memory&) const = default;
};

struct World {
  api::StreamingJob job;    // as it is asked for
  api::Diagnostics errors;  // of the reader and the checks; with any, the spec is not acted upon
  std::optional<TimePoint> deleted_at;
  bool has_finalizer = false;
  bool namespace_terminating = false;
  api::JobStatus status;                           // as last written
  Memory memory = {};                              // as last written
  std::optional<api::StreamingJobSpec> good = {};  // of the revision memory.rollout.good, if asked
                                                   // for another one with a roll-back
  std::map<ObjectKey, ObservedObject> objects;
  ObservedPods pods;
  std::optional<CleanupState> cleanup;  // of the Job of BuildCleanupJob
  std::optional<WorkerReport> report;
  std::optional<LoadWindow> load;
};

// The job that workers run by `rollout`: the asked one, or the good one while that is refused;
// metadata.generation is the number of its roll-out. Pure.
api::StreamingJob InForce(const World& world, const RolloutRecord& rollout);

}  // namespace millrace::controller
