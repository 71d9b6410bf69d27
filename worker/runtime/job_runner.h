#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/runtime/job_file.h"
#include "worker/schedule/scheduler.h"
#include "worker/sink/console/screen.h"

namespace millrace::worker {

// The options of `millrace run`.
struct RunOptions {
  JobFileRequest file;
  std::string state;  // "", "memory" or a directory; overrides spec.state
  std::string secrets_directory;
  std::optional<Duration> until_idle;
  std::optional<int64_t> batches;
  int threads = 0;              // 0: one per core
  std::string metrics_address;  // "host:port", "" for none
  bool quiet = false;           // no status line
};

// Builds the live parts of a job: coordinator, tables, sources, sinks, thread pool. kInvalid for a
// state kind that a local run cannot use. Nothing runs yet. `clock` outlives the parts; `stop` ends
// waits inside sinks.
Result<JobParts> BuildParts(JobFile file, const RunOptions& options, Clock* clock,
                            std::shared_ptr<Screen> screen, std::stop_token stop);

// What the parts of a job need to know of the process they live in.
struct PartsRequest {
  std::string job_id;
  std::string state_directory;  // for logs of push sources, empty for none
  std::string secrets_directory;
  std::string sink_override;  // "", "console" or "none"
  bool durable = false;       // the job can go on in another process
  int threads = 0;            // 0: one per core
  std::shared_ptr<Screen> screen;
};
// Adds sources, sinks, tables and thread pool to `parts`, which have job, plan and clock. `stop`
// ends waits inside them.
Status AddParts(const PartsRequest& request, std::stop_token stop, JobParts* parts);

}  // namespace millrace::worker
