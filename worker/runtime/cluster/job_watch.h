#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "worker/runtime/cluster/job_edits.h"
#include "worker/runtime/job_file.h"

namespace millrace::worker {

// Looks at the job file of a running worker and acts on what was edited: hot fields are handed on,
// everything else is said in the log, once for each version of the file. Follows symbolic links, so
// the swap of `..data` by which Kubernetes updates a mounted ConfigMap is seen; a file that is away
// for a moment is no edit. Used by one thread.
class JobWatch {
 public:
  // Called for edits that are taken over; must not block.
  using Apply = std::function<void(const api::StreamingJobSpec&)>;
  // `edits` and `clock` outlive it. `check` refuses jobs that a worker cannot run.
  JobWatch(JobFileRequest request, std::function<Status(const api::StreamingJobSpec&)> check,
           JobEdits* edits, Clock* clock, Apply apply);

  // Looks once a second until it is told to stop. Returns at once when the job was read from
  // standard input.
  void Run(const std::stop_token& stop);
  // The first look judges the file that the worker was started with, which may be another by now.
  void Look();

 private:
  EditVerdict Read();
  void Act(const EditVerdict& verdict);

  JobFileRequest request_;
  std::function<Status(const api::StreamingJobSpec&)> check_;
  JobEdits* edits_;
  Clock* clock_;
  Apply apply_;
  std::string version_;  // of the file, by what the file system says of it
};

}  // namespace millrace::worker
