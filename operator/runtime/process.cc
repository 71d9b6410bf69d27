#include "operator/runtime/process.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <memory>

#include "crds/base/text.h"
#include "operator/controller/controller.h"
#include "operator/kube/cluster_config.h"
#include "operator/runtime/leader_election.h"
#include "operator/runtime/operator_metrics.h"
#include "worker/client/http_client.h"
#include "worker/client/http_server.h"

namespace millrace::controller {
namespace {

constexpr Duration kElectionTimeout = std::chrono::seconds(5);
constexpr Duration kStatusTimeout = std::chrono::seconds(2);
constexpr size_t kMaxStatusBytes = 4 << 20;

std::string HostName() {
  if (const char* pod = std::getenv("POD_NAME"); pod != nullptr && *pod != '\0') return pod;
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "millrace-operator";
}

Result<ClusterConfig> ReadConfig(const OperatorOptions& options) {
  return options.kubeconfig.empty() ? InClusterConfig()
                                    : KubeconfigFile(options.kubeconfig, options.context);
}

std::string LeaseNamespace(const OperatorOptions& options, const ClusterConfig& config) {
  if (!options.lease_namespace.empty()) return options.lease_namespace;
  if (const char* ns = std::getenv("POD_NAMESPACE"); ns != nullptr && *ns != '\0') return ns;
  return config.ns.empty() ? "default" : config.ns;
}

Result<std::unique_ptr<Client>> MakeClient(const ClusterConfig& config, Clock* clock,
                                           ClientOptions options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Transport> transport, MakeTransport(config.endpoint));
  return std::make_unique<Client>(std::move(transport),
                                  std::make_unique<Token>(clock, config.token_file, config.token),
                                  clock, std::move(options));
}

Result<std::string> FetchFrom(const std::string& address, int64_t port) {
  const std::string host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  worker::HttpClientOptions options;
  options.connect_timeout = options.timeout = kStatusTimeout;
  options.max_body_bytes = kMaxStatusBytes;
  ASSIGN_OR_RETURN(const auto client,
                   worker::HttpClient::Create(
                       "http://" + host + ":" + std::to_string(port) + "/status", options));
  ASSIGN_OR_RETURN(worker::HttpResponse response, client->Send({}));
  if (response.status != 200 || response.truncated)
    return UnavailableError(host + ": status " + std::to_string(response.status));
  return std::move(response.body);
}

Result<worker::HttpServerOptions> ReadAddress(const std::string& address) {
  worker::HttpServerOptions options;
  const size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (read.ec != std::errc() || read.ptr != port.data() + port.size() || options.port < 0 ||
      options.port > 65535)
    return InvalidError("--metrics-address " + address + ": expected HOST:PORT");
  if (colon != std::string::npos && colon > 0) options.host = address.substr(0, colon);
  return options;
}

worker::HttpServerReply Plain(int status, std::string body) {
  worker::HttpServerReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return reply;
}

// Alive: no thread hangs. Ready: the caches are filled. Neither asks the API server, whose troubles
// must not restart the operator.
std::vector<worker::HttpRoute> Routes(const Controller& controller, OperatorMetrics* metrics,
                                      const LeaderElection& election) {
  return {{"GET", "/metrics",
           [&, metrics](const auto&) {
             return Plain(200, metrics->Text(controller.state(), election.leading()));
           }},
          {"GET", "/healthz",
           [&](const auto&) {
             return controller.state().alive ? Plain(200, "ok\n") : Plain(503, "a thread hangs\n");
           }},
          {"GET", "/readyz", [&](const auto&) {
             return controller.state().synced ? Plain(200, "ok\n")
                                              : Plain(503, "caches are being filled\n");
           }}};
}

ControllerOptions ToControllerOptions(const OperatorOptions& options, const std::string& identity) {
  ControllerOptions result;
  result.view.namespaces = options.watch_namespaces;
  result.reconciler.build.image = options.image;
  result.reconciler.dry_run = options.dry_run;
  result.progress.interval = options.progress_interval;
  result.workers = options.workers;
  result.instance = identity;
  return result;
}

Status Lead(LeaderElection* election, Controller* controller, const std::stop_token& stop) {
  if (!election->Acquire(stop)) return OkStatus();
  Log(LogLevel::kInfo, "leading");
  std::stop_source end;
  std::jthread work([&] { controller->Lead(end.get_token()); });
  const bool asked = election->Hold(stop);
  end.request_stop();
  work.join();
  if (!asked) return AbortedError("the lease was lost to another operator or could not be renewed");
  election->Release();
  return OkStatus();
}

}  // namespace

Status RunOperator(const OperatorOptions& options, std::stop_token stop) {
  SystemClock clock;
  ASSIGN_OR_RETURN(const ClusterConfig config, ReadConfig(options));
  const std::string identity = HostName() + "_" + RandomHex(8);
  OperatorMetrics metrics(config.endpoint.server, options.lease_name, options.workers);
  const auto on_answer = [&](const std::string& method, int code, Duration took) {
    metrics.OnAnswer(method, code, took);
  };
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Client> election_client,
      MakeClient(config, &clock,
                 {.timeout = kElectionTimeout, .max_attempts = 1, .on_answer = on_answer}));
  LeaderElection election(
      election_client.get(), &clock,
      {.ns = LeaseNamespace(options, config), .name = options.lease_name, .identity = identity});
  ClientOptions client_options{.on_answer = on_answer};
  if (options.leader_elect) client_options.may_write = [&] { return election.leading(); };
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client,
                   MakeClient(config, &clock, std::move(client_options)));
  Controller controller(client.get(), &clock, FetchFrom, &metrics,
                        ToControllerOptions(options, identity));
  std::unique_ptr<worker::HttpServer> server;
  if (!options.metrics_address.empty()) {
    ASSIGN_OR_RETURN(const worker::HttpServerOptions address, ReadAddress(options.metrics_address));
    ASSIGN_OR_RETURN(server,
                     worker::HttpServer::Start(address, Routes(controller, &metrics, election)));
    Log(LogLevel::kInfo, "serving metrics and probes", {{"port", std::to_string(server->port())}});
  }
  Log(LogLevel::kInfo, "operator", {{"identity", identity}, {"server", config.endpoint.server}});
  controller.Start();
  if (options.leader_elect) return Lead(&election, &controller, stop);
  controller.Lead(stop);
  return OkStatus();
}

}  // namespace millrace::controller
