#pragma once

#include <string>

#include "worker/plan/job_plan.h"
#include "worker/runtime/cluster/worker_options.h"
#include "worker/runtime/job_file.h"
#include "worker/runtime/job_runner.h"
#include "worker/runtime/state/state_options.h"

// The sub-commands of `millrace`, one function each; every one returns an exit code. Results go to
// standard output, messages to standard error.
namespace millrace::worker {

int RunCommand(const RunOptions& options);
int WorkerCommand(const WorkerOptions& options);
int StateCommand(const StateOptions& options);
int CheckCommand(const JobFileRequest& request, bool json);
int ExplainCommand(const JobFileRequest& request, ExplainFormat format);
int CompletionCommand(const std::string& shell);

// "0.1.0".
std::string Version();
// `millrace version`: our version and those of the libraries in use.
std::string VersionText();
// Every metric with type, labels and meaning, as a Markdown table (docs/metrics.md).
std::string MetricsTable();

}  // namespace millrace::worker
