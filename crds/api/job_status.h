#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/edit_class.h"
#include "crds/api/fields.h"
#include "crds/base/clock.h"

// The status of a StreamingJob as values: what the operator says about a job and nobody else
// writes. Every member may be absent, since a status is written as facts become known. Values,
// freely copied; thread-compatible. Written by FieldWriter, as the spec is.
namespace millrace::api {

enum class JobPhase {
  kPending,     // accepted, nothing of it runs
  kStarting,    // workers come, no batch has been committed
  kRunning,     // batches are committed
  kUpgrading,   // an edit is being rolled out
  kRescaling,   // the number of workers changes
  kSuspending,  // the last batch before the workers leave
  kSuspended,   // no workers, the state is kept
  kStalled,     // no batch for longer than healthCheck.stalledAfter
  kCompleted,   // all sources have ended
  kFailed,      // halted by a bad spec, a poison batch or too many restarts
  kDeleting,    // the finalizer has work to do
};

// A Kubernetes condition.
struct JobCondition {
  std::string type;
  enum class Truth { kTrue, kFalse, kUnknown } status = Truth::kUnknown;
  std::string reason;
  std::string message;
  std::optional<TimePoint> last_transition_time;
  std::optional<int64_t> observed_generation;
  bool operator==(const JobCondition&) const = default;
};

struct WorkerStatus {
  std::optional<int64_t> desired;  // by spec, autoscaler and suspend
  std::optional<int64_t> current;  // pods there are; what /scale reports
  std::optional<int64_t> ready;
  std::optional<int64_t> updated;  // of the newest revision
  bool operator==(const WorkerStatus&) const = default;
};

struct BatchStatus {
  std::optional<int64_t> committed;
  std::optional<TimePoint> time;
  std::optional<Duration> duration;
  std::optional<Duration> scheduling_delay;
  std::optional<Duration> total_delay;
  bool operator==(const BatchStatus&) const = default;
};

struct JobError {
  std::string message;
  std::optional<TimePoint> time;
  bool operator==(const JobError&) const = default;
};

struct JobStatus {
  std::optional<int64_t> observed_generation;
  std::optional<JobPhase> phase;
  std::optional<std::string> revision;
  std::optional<EditClass> edit;
  std::vector<std::string> edited;    // the fields of that edit
  std::optional<int64_t> generation;  // of the workers, it names their writes
  std::optional<std::string> selector;
  WorkerStatus workers;
  BatchStatus batch;
  std::optional<int64_t> lag_records;
  std::optional<int64_t> restarts;
  std::optional<JobError> last_error;
  std::vector<JobCondition> conditions;
  std::optional<std::string> memory;  // what the operator remembers from pass to pass, as JSON
  bool operator==(const JobStatus&) const = default;
};

void Describe(Fields& fields, JobCondition& value);
void Describe(Fields& fields, WorkerStatus& value);
void Describe(Fields& fields, BatchStatus& value);
void Describe(Fields& fields, JobError& value);
void Describe(Fields& fields, JobStatus& value);

}  // namespace millrace::api
