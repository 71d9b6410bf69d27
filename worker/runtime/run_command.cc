#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <utility>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/client/http_server.h"
#include "worker/metrics/catalogue.h"
#include "worker/metrics/job_metrics.h"
#include "worker/runtime/commands.h"
#include "worker/runtime/end_summary.h"
#include "worker/runtime/exit_code.h"
#include "worker/runtime/left_aside.h"
#include "worker/runtime/observers.h"
#include "worker/runtime/query/local_committed_state.h"
#include "worker/runtime/query/state_query.h"
#include "worker/runtime/signals.h"
#include "worker/runtime/status_board.h"
#include "worker/runtime/status_line.h"

namespace millrace::worker {
namespace {

int Report(const Status& status) {
  std::fprintf(stderr, "millrace: %s\n", status.message().c_str());
  return ExitCodeOf(status);
}

std::vector<HttpRoute> StateRoutes(const std::atomic<StateQueries*>* queries) {
  std::vector<HttpRoute> routes;
  for (const char* path : StateQueries::kPaths) {
    routes.push_back({"GET", path, [queries](const HttpServerRequest& request) {
                        StateQueries* const ready = *queries;
                        return ready != nullptr ? ready->Answer(request)
                                                : HttpServerError(503, "the job is starting");
                      }});
  }
  return routes;
}

// Runs a planned job until it ends.
Status RunJob(JobFile file, const RunOptions& options, const SignalStop& signals) {
  SystemClock clock;
  const api::StreamingJob& job = *file.job;
  ConfigureLog(LevelOf(job.spec.logging.level), LogFormat::kText);
  JobMetrics metrics(MetricsOptions(job, file.plan), &clock);
  StatusBoard board(job.metadata.name, job.spec.batch_interval, job.spec.health_check.stalled_after,
                    &clock);
  std::atomic<StateQueries*> queries{nullptr};  // of parts that are there
  std::unique_ptr<HttpServer> server;
  if (!options.metrics_address.empty()) {
    ASSIGN_OR_RETURN(const HttpServerOptions address,
                     ParseAddress("--metrics-address", options.metrics_address));
    ASSIGN_OR_RETURN(server, ServeStatus(address, &metrics, board, StateRoutes(&queries)));
    Log(LogLevel::kInfo, "serving metrics and status", {{"port", std::to_string(server->port())}});
  }
  const auto screen = std::make_shared<Screen>(Screen::Detect());
  StatusLine line(screen, &clock);
  EndSummary summary;
  Listeners listeners;
  listeners.Add(&summary);
  listeners.Add(&metrics);
  listeners.Add(&board);
  if (!options.quiet) listeners.Add(&line);
  const MonotonicTime begin = clock.Monotonic();
  ASSIGN_OR_RETURN(JobParts parts,
                   BuildParts(std::move(file), options, &clock, screen, signals.token()));
  LocalCommittedState committed(&parts);
  StateQueries state_queries(&parts.plan, &committed);
  listeners.Add(&committed);
  queries = &state_queries;
  Scheduler scheduler(&parts, {options.until_idle, options.batches}, &listeners);
  const Status status = scheduler.Run(signals.token());
  board.SetEnded(status);
  committed.Close();
  server.reset();
  screen->SetStatusLine("");
  if (!options.quiet) {
    const char* how = !status.ok() ? "failed" : scheduler.completed() ? "completed" : "stopped";
    std::fprintf(stderr, "millrace: %s: %s\n", how,
                 summary.Text(clock.Monotonic() - begin).c_str());
  }
  return status;
}

// Tells what of the job has no effect here, and what the checks warn of.
void PrintWarnings(const RunOptions& options, const JobFile& file) {
  for (const std::string& line : file.warnings) std::fprintf(stderr, "%s\n", line.c_str());
  const std::vector<std::string> aside = FieldsLeftAside(file.job->spec);
  if (aside.empty()) return;
  std::fprintf(stderr, "%s: warning: a local run leaves these fields aside: %s\n",
               options.file.path.c_str(), Join(aside, ", ").c_str());
}

}  // namespace

int RunCommand(const RunOptions& options) {
  if (const auto address = ParseAddress("--metrics-address", options.metrics_address);
      !options.metrics_address.empty() && !address.ok()) {
    std::fprintf(stderr, "millrace: %s\n", address.status().message().c_str());
    return kExitUsage;
  }
  const SignalStop signals;
  JobFile file;
  JobFileError error;
  JobFileRequest request = options.file;
  request.to_run = true;
  if (!LoadJobFile(request, &file, &error)) {
    for (const std::string& line : error.lines) std::fprintf(stderr, "%s\n", line.c_str());
    return error.exit_code;
  }
  PrintWarnings(options, file);
  const Status status = RunJob(std::move(file), options, signals);
  return status.ok() ? kExitOk : Report(status);
}

std::string Version() { return MILLRACE_VERSION; }

std::string MetricsTable() { return MetricsMarkdown(); }

std::string VersionText() {
  return "millrace " + Version() +
         "\njob API streaming.millrace.io/v1alpha1\ncompiler " __VERSION__ "\n";
}

}  // namespace millrace::worker
