#include "worker/runtime/observers.h"

#include <charconv>
#include <utility>

#include "worker/runtime/commands.h"

namespace millrace::worker {

LogLevel LevelOf(api::Logging::Level level) {
  switch (level) {
    case api::Logging::Level::kDebug:
      return LogLevel::kDebug;
    case api::Logging::Level::kInfo:
      return LogLevel::kInfo;
    case api::Logging::Level::kWarn:
      return LogLevel::kWarn;
    case api::Logging::Level::kError:
      return LogLevel::kError;
  }
  return LogLevel::kInfo;
}

JobMetricsOptions MetricsOptions(const api::StreamingJob& job, const JobPlan& plan) {
  JobMetricsOptions options{
      job.metadata.name, job.metadata.ns, Version(), job.spec.batch_interval, {}, {}, {}, {}};
  for (const api::Source& source : job.spec.sources) options.sources.push_back(source.name);
  for (const api::Sink& sink : job.spec.sinks) {
    options.sinks.push_back(sink.name);
    if (std::holds_alternative<api::KafkaSink>(sink.kind)) options.kafka_sinks.push_back(sink.name);
  }
  for (const StageSpec& stage : plan.graph.stages) options.stages.push_back(stage.id);
  return options;
}

Result<HttpServerOptions> ParseAddress(const std::string& flag, const std::string& address) {
  HttpServerOptions options;
  const size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() ||
      options.port < 0 || options.port > 65535) {
    return InvalidError(flag + " " + address + ": expected HOST:PORT, for example 127.0.0.1:9090");
  }
  if (colon != std::string::npos && colon > 0) options.host = address.substr(0, colon);
  return options;
}

Result<std::unique_ptr<HttpServer>> ServeStatus(const HttpServerOptions& options,
                                                JobMetrics* metrics, const StatusBoard& board,
                                                std::vector<HttpRoute> more,
                                                std::function<std::string()> more_metrics) {
  const auto plain = [](bool good, const char* word) {
    HttpServerReply reply;
    reply.status = good ? 200 : 503;
    reply.body = good ? "ok\n" : std::string(word) + "\n";
    reply.content_type = "text/plain; charset=utf-8";
    return reply;
  };
  std::vector<HttpRoute> routes = std::move(more);
  routes.push_back({"GET", "/metrics",
                    [metrics, more_metrics = std::move(more_metrics)](const HttpServerRequest&) {
                      return HttpServerReply{200,
                                             metrics->Text() + (more_metrics ? more_metrics() : ""),
                                             "text/plain; version=0.0.4; charset=utf-8",
                                             {}};
                    }});
  routes.push_back({"GET", "/status", [&board](const HttpServerRequest&) {
                      return HttpServerReply{200, board.Json(), "application/json", {}};
                    }});
  routes.push_back({"GET", "/healthz", [&board, plain](const HttpServerRequest&) {
                      return plain(board.Healthy(), "stalled");
                    }});
  routes.push_back({"GET", "/readyz", [&board, plain](const HttpServerRequest&) {
                      return plain(board.Ready(), "starting");
                    }});
  return HttpServer::Start(options, std::move(routes));
}

}  // namespace millrace::worker
