#include <unistd.h>

#include <charconv>
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
#include "worker/runtime/signals.h"
#include "worker/runtime/status_board.h"
#include "worker/runtime/status_line.h"

namespace millrace::worker {
namespace {

// Passes every event on to several listeners, in order.
class Listeners final : public JobListener {
 public:
  void Add(JobListener* listener) { listeners_.push_back(listener); }
  void OnBatchPlanned(const BatchPlan& plan) override {
    for (JobListener* listener : listeners_) listener->OnBatchPlanned(plan);
  }
  void OnBatchCommitted(const BatchInfo& info) override {
    for (JobListener* listener : listeners_) listener->OnBatchCommitted(info);
  }
  void OnBatchFailed(int64_t batch, int attempt, const Status& status) override {
    for (JobListener* listener : listeners_) listener->OnBatchFailed(batch, attempt, status);
  }
  void OnIdle(int64_t lag_records) override {
    for (JobListener* listener : listeners_) listener->OnIdle(lag_records);
  }
  void OnProgress(const std::string& source, const std::vector<PartitionProgress>& partitions) override {
    for (JobListener* listener : listeners_) listener->OnProgress(source, partitions);
  }
  void OnTransactions(const std::string& sink, const SinkTransactions& transactions) override {
    for (JobListener* listener : listeners_) listener->OnTransactions(sink, transactions);
  }

 private:
  std::vector<JobListener*> listeners_;
};

LogLevel LevelOf(api::Logging::Level level) {
  switch (level) {
    case api::Logging::Level::kDebug: return LogLevel::kDebug;
    case api::Logging::Level::kInfo: return LogLevel::kInfo;
    case api::Logging::Level::kWarn: return LogLevel::kWarn;
    case api::Logging::Level::kError: return LogLevel::kError;
  }
  return LogLevel::kInfo;
}

JobMetricsOptions MetricsOptions(const api::StreamingJob& job, const JobPlan& plan) {
  JobMetricsOptions options{job.metadata.name, job.metadata.ns, Version(), job.spec.batch_interval, {}, {}, {}, {}};
  for (const api::Source& source : job.spec.sources) options.sources.push_back(source.name);
  for (const api::Sink& sink : job.spec.sinks) {
    options.sinks.push_back(sink.name);
    if (std::holds_alternative<api::KafkaSink>(sink.kind)) options.kafka_sinks.push_back(sink.name);
  }
  for (const StageSpec& stage : plan.graph.stages) options.stages.push_back(stage.id);
  return options;
}

Result<HttpServerOptions> ParseAddress(const std::string& address) {
  HttpServerOptions options;
  const size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || options.port < 0 || options.port > 65535) {
    return InvalidError("--metrics-address " + address + ": expected HOST:PORT, for example 127.0.0.1:9090");
  }
  if (colon != std::string::npos && colon > 0) options.host = address.substr(0, colon);
  return options;
}

Result<std::unique_ptr<HttpServer>> ServeStatus(const HttpServerOptions& options, JobMetrics* metrics, const StatusBoard& board) {
  const auto plain = [](bool good, const char* word) {
    HttpServerReply reply;
    reply.status = good ? 200 : 503;
    reply.body = good ? "ok\n" : std::string(word) + "\n";
    reply.content_type = "text/plain; charset=utf-8";
    return reply;
  };
  std::vector<HttpRoute> routes;
  routes.push_back({"GET", "/metrics", [metrics](const HttpServerRequest&) {
                      return HttpServerReply{200, metrics->Text(), "text/plain; version=0.0.4; charset=utf-8", {}};
                    }});
  routes.push_back({"GET", "/status", [&board](const HttpServerRequest&) { return HttpServerReply{200, board.Json(), "application/json", {}}; }});
  routes.push_back({"GET", "/healthz", [&board, plain](const HttpServerRequest&) { return plain(board.Healthy(), "stalled"); }});
  routes.push_back({"GET", "/readyz", [&board, plain](const HttpServerRequest&) { return plain(board.Ready(), "starting"); }});
  return HttpServer::Start(options, std::move(routes));
}

int Report(const Status& status) {
  std::fprintf(stderr, "millrace: %s\n", status.message().c_str());
  return ExitCodeOf(status);
}

// Runs a planned job until it ends.
Status RunJob(JobFile file, const RunOptions& options, const SignalStop& signals) {
  SystemClock clock;
  const api::StreamingJob& job = *file.job;
  ConfigureLog(LevelOf(job.spec.logging.level), LogFormat::kText);
  JobMetrics metrics(MetricsOptions(job, file.plan), &clock);
  StatusBoard board(job.metadata.name, job.spec.batch_interval, job.spec.health_check.stalled_after, &clock);
  std::unique_ptr<HttpServer> server;
  if (!options.metrics_address.empty()) {
    ASSIGN_OR_RETURN(const HttpServerOptions address, ParseAddress(options.metrics_address));
    ASSIGN_OR_RETURN(server, ServeStatus(address, &metrics, board));
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
  ASSIGN_OR_RETURN(JobParts parts, BuildParts(std::move(file), options, &clock, screen, signals.token()));
  Scheduler scheduler(&parts, {options.until_idle, options.batches}, &listeners);
  const Status status = scheduler.Run(signals.token());
  board.SetEnded(status);
  screen->SetStatusLine("");
  if (!options.quiet) {
    const char* how = !status.ok() ? "failed" : scheduler.completed() ? "completed" : "stopped";
    std::fprintf(stderr, "millrace: %s: %s\n", how, summary.Text(clock.Monotonic() - begin).c_str());
  }
  return status;
}

// Tells what of the job has no effect here, and what the checks warn of.
void PrintWarnings(const RunOptions& options, const JobFile& file) {
  for (const std::string& line : file.warnings) std::fprintf(stderr, "%s\n", line.c_str());
  const std::vector<std::string> aside = FieldsLeftAside(file.job->spec);
  if (aside.empty()) return;
  std::fprintf(stderr, "%s: warning: a local run leaves these fields aside: %s\n", options.file.path.c_str(), Join(aside, ", ").c_str());
}

}  // namespace

int RunCommand(const RunOptions& options) {
  if (const auto address = ParseAddress(options.metrics_address); !options.metrics_address.empty() && !address.ok()) {
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
  return "millrace " + Version() + "\njob API streaming.millrace.io/v1alpha1\ncompiler " __VERSION__ "\n";
}

}  // namespace millrace::worker
