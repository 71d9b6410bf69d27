#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/edit_class.h"
#include "crds/base/clock.h"

namespace millrace::worker {

// What becomes of an edit of the job file of a worker that runs.
struct EditVerdict {
  enum class Kind {
    kSame,          // nothing that a worker reads has changed
    kTaken,         // only hot fields: `spec` is to be followed from the next batch on
    kNeedsRestart,  // other fields, too: the worker goes on with what it has
    kBroken,        // no valid job: the worker goes on with what it has
  } kind = Kind::kSame;
  std::vector<std::string> fields;  // kTaken: taken over; kNeedsRestart: the fields that need it
  std::string error;                // kBroken
  std::optional<api::StreamingJobSpec> spec;  // kTaken
};

// Judges edits of the job file one after another, and remembers them for /status. Guarantee: what
// it says was taken is the last thing it said was taken; an edit with any field that is not hot
// changes nothing. Thread-safe.
class JobEdits {
 public:
  // `running`: the job that the worker was started with. `spec_hash` is for /status.
  JobEdits(const api::StreamingJob& running, std::string spec_hash);

  // The file was read as `job`.
  EditVerdict Judge(const api::StreamingJob& job, TimePoint now);
  // The file cannot be used, for this reason.
  EditVerdict Refuse(std::string error, TimePoint now);

  // The object "spec" of /status: specHash, appliedAt, applied, and needsRestart or error of an
  // edit that was not taken.
  std::string Json() const;

 private:
  const std::string spec_hash_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  api::StreamingJob running_;
  api::FieldDigests digests_;
  std::optional<TimePoint> applied_at_;
  std::vector<std::string> applied_;
  std::vector<std::string> needs_restart_;
  std::string error_;
  std::optional<TimePoint> refused_at_;
};

}  // namespace millrace::worker
