#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
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
};

enum class CleanupState { kRunning, kDone, kFailed };

// What the workers said over HTTP; none where nobody answers.
struct WorkerReport {
  int64_t committed_batch = 0;
  int64_t lag_records = 0;
  TimePoint last_commit;
  bool completed = false;  // all sources ended
  std::string halt;        // why the job halted; empty: it did not
};

// What the planner remembers from pass to pass, written together with the status.
struct Memory {
  std::map<std::string, std::string>
      applied;  // top-level field -> digest, of the last spec applied
  std::optional<int64_t> announced_generation;  // whose edit class status shows
  std::optional<TimePoint> completed_at;
  std::string completed_revision;
  ScalingRecord scaling;
  bool operator==(const Memory&) const = default;
};

enum class Phase {
  kPending,
  kStarting,
  kRunning,
  kUpgrading,
  kRescaling,
  kSuspending,
  kSuspended,
  kStalled,
  kCompleted,
  kFailed,
  kDeleting,
};

struct Condition {
  std::string type;
  bool holds = false;
  std::string reason;
  std::string message;
  TimePoint since;
  bool operator==(const Condition&) const = default;
};

enum class EditClass { kNone, kHot, kScale, kRoll, kFixed };

struct JobStatus {
  int64_t observed_generation = 0;
  Phase phase = Phase::kPending;
  std::string revision;
  std::string selector;
  EditClass edit = EditClass::kNone;
  std::vector<std::string> edited;  // the fields, sorted
  int64_t desired_workers = 0, workers = 0, ready_workers = 0, updated_workers = 0;
  std::vector<Condition> conditions;  // Accepted, Ready, Reconciling, Stalled
  Memory memory;
  bool operator==(const JobStatus&) const = default;
};

struct World {
  api::StreamingJob job;
  api::Diagnostics errors;  // of the reader and the checks; with any, the spec is not acted upon
  std::optional<TimePoint> deleted_at;
  bool has_finalizer = false;
  bool namespace_terminating = false;
  JobStatus status;  // as last written
  std::map<ObjectKey, ObservedObject> objects;
  ObservedPods pods;
  std::optional<CleanupState> cleanup;  // of the Job of BuildCleanupJob
  std::optional<WorkerReport> report;
  std::optional<LoadWindow> load;
};

}  // namespace millrace::controller
