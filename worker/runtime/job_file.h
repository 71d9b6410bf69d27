#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crds/api/codec.h"
#include "worker/plan/job_plan.h"

namespace millrace::worker {

// A job file that was read and planned. Diagnostics are rendered "file:line:col: path: message",
// one a line.
struct JobFile {
  std::unique_ptr<api::StreamingJob> job;  // stages refer to it: it never moves
  JobPlan plan;
  std::vector<std::string> warnings;
};

struct JobFileError {
  int exit_code = 0;
  std::vector<std::string> lines;  // for standard error
};

// How a job file is read.
struct JobFileRequest {
  std::string path;  // "-" for standard input
  std::vector<api::Override> overrides;
  std::string sink_override;  // "", "console" or "none"
  bool to_run = false;        // refuse what may be written but not run: suspended jobs
};

// Reads, checks and plans a job file. On failure `error` holds every message and the exit code.
bool LoadJobFile(const JobFileRequest& request, JobFile* file, JobFileError* error);

// Replaces every sink's kind by a console sink that keeps its name, stream and fields.
void UseConsoleSinks(api::StreamingJobSpec* spec);

}  // namespace millrace::worker
