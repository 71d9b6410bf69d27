#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>
#include <utility>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/coordination/redis/redis_table_versions.h"
#include "worker/metrics/worker_metrics.h"
#include "worker/runtime/cluster/job_edits.h"
#include "worker/runtime/cluster/job_redis.h"
#include "worker/runtime/cluster/job_watch.h"
#include "worker/runtime/cluster/wire_exchange.h"
#include "worker/runtime/cluster/worker_options.h"
#include "worker/runtime/cluster/worker_process.h"
#include "worker/runtime/cluster/worker_status.h"
#include "worker/runtime/commands.h"
#include "worker/runtime/exit_code.h"
#include "worker/runtime/job_runner.h"
#include "worker/runtime/last_words.h"
#include "worker/runtime/observers.h"
#include "worker/runtime/query/redis_committed_state.h"
#include "worker/runtime/query/state_query.h"
#include "worker/runtime/signals.h"
#include "worker/schedule/cluster/own_spec.h"
#include "worker/schedule/cluster/table_exchange.h"

namespace millrace::worker {
namespace {

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "worker";
}

// Parts of a job that one process only can run.
Status CheckForWorkers(const api::StreamingJobSpec& spec) {
  for (const api::Source& source : spec.sources) {
    const bool push = std::holds_alternative<api::SocketSource>(source.kind) ||
                      std::holds_alternative<api::HttpSource>(source.kind) ||
                      std::holds_alternative<api::StdinSource>(source.kind);
    if (push)
      return InvalidError("source \"" + source.name +
                          "\": records pushed to one process are not supported yet by `millrace "
                          "worker`; use `millrace run`");
  }
  for (const api::Table& table : spec.tables) {
    if (std::holds_alternative<api::StreamTable>(table.kind)) {
      return InvalidError(
          "table \"" + table.name +
          "\": tables from streams are not supported yet by `millrace worker`; use `millrace run`");
    }
  }
  if (spec.poison_batch.action == api::PoisonBatch::Action::kBisect) {
    return InvalidError(
        "spec.poisonBatch.action: Bisect is not supported yet by `millrace worker`; use Halt, or "
        "`millrace run`");
  }
  return OkStatus();
}

bool HasSinkWithoutLedger(const api::StreamingJobSpec& spec) {
  return std::any_of(spec.sinks.begin(), spec.sinks.end(), [](const api::Sink& sink) {
    return std::holds_alternative<api::HttpSink>(sink.kind) ||
           std::holds_alternative<api::ConsoleSink>(sink.kind);
  });
}

Result<std::unique_ptr<PeerNetwork>> StartNetwork(const WorkerOptions& options,
                                                  const std::string& secret) {
  ASSIGN_OR_RETURN(const HttpServerOptions address, ParseAddress("--listen", options.listen));
  PeerOptions peers;
  peers.host = !options.advertise.empty() ? options.advertise
               : address.host.empty()     ? "127.0.0.1"
                                          : address.host;
  peers.listen_host = address.host.empty() ? "*" : address.host;
  peers.port = address.port;
  peers.secret = secret;
  return PeerNetwork::Start(std::move(peers));
}

WorkerProcessOptions ProcessOptions(const WorkerOptions& options, const api::StreamingJob& job,
                                    const OwnSpec& spec) {
  WorkerProcessOptions process;
  process.lease = options.lease;
  process.grace = options.grace;
  process.spec = spec;
  process.attempts = job.spec.poison_batch.attempts;
  process.announce_delivery = HasSinkWithoutLedger(job.spec);
  return process;
}

// What the worker's connections to Redis do, by purpose; outlives them.
struct RedisTraffic {
  RedisCounts record;
  RedisCounts state;
  RedisCounts heartbeat;
  RedisCounts tables;
  RedisCounts query;

  std::map<std::string, WorkerSample::Redis> Sample() const {
    const auto sample = [](const RedisCounts& counts) {
      return WorkerSample::Redis{counts.round_trips, counts.sent_bytes};
    };
    return {{"record", sample(record)},
            {"state", sample(state)},
            {"heartbeat", sample(heartbeat)},
            {"tables", sample(tables)},
            {"query", sample(query)}};
  }
};

WorkerSample SampleOf(const WorkerStatus& status, const RedisTraffic& traffic,
                      const PeerStats& peers) {
  WorkerSample sample;
  sample.leading = status.leading;
  sample.epoch = status.epoch;
  sample.slots = status.generation->slots();
  sample.key_groups = status.key_groups();
  sample.redis = traffic.Sample();
  sample.exchange.sent_bytes = static_cast<int64_t>(peers.sent_bytes);
  sample.exchange.received_bytes = static_cast<int64_t>(peers.received_bytes);
  sample.exchange.credit_waits = static_cast<int64_t>(peers.credit_waits);
  sample.exchange.credit_wait = peers.credit_wait;
  sample.exchange.reconnects = static_cast<int64_t>(peers.lost_connections);
  sample.exchange.broken_streams = static_cast<int64_t>(peers.broken_streams);
  sample.exchange.dropped_frames = static_cast<int64_t>(peers.dropped_frames);
  sample.exchange.refused_connections = static_cast<int64_t>(peers.refused_connections);
  return sample;
}

// Tells the job's board how far the job is while another worker leads it.
class Following final : public ClusterListener {
 public:
  explicit Following(StatusBoard* board) : board_(board) {}
  void OnFollow(int64_t committed_batch) override { board_->OnFollow(committed_batch); }

 private:
  StatusBoard* board_;
};

// A new exchange for each generation. Used by the compute thread.
class WirePorts final : public BatchPorts {
 public:
  WirePorts(const JobPlan& plan, PeerNetwork* network)
      : sources_(TableStage(plan.graph) + 1, -1), network_(network) {
    for (size_t source = 0; source < plan.input_stages.size(); ++source) {
      if (plan.input_stages[source] >= 0)
        sources_[plan.input_stages[source]] = static_cast<int>(source);
    }
  }
  void Begin(const Generation& generation, int slot) override {
    exchange_.emplace(generation, slot, sources_, network_);
  }
  std::unique_ptr<ExchangePort> Open(int64_t batch, std::stop_token stop) override {
    return exchange_->Open(batch, std::move(stop));
  }

 private:
  std::vector<int> sources_;
  PeerNetwork* network_;
  std::optional<WireExchange> exchange_;
};

RedisStateLog::Options StateOptions(const JobRedis& redis, const api::StreamingJob& job) {
  const int groups = static_cast<int>(job.spec.max_parallelism);
  return {redis.ns(), redis.job(), redis.job_id(),
          [groups](const std::string&, int unit) { return unit % groups; }};
}

Result<std::unique_ptr<CommittedState>> OpenCommitted(const JobRedis& redis,
                                                      const api::StreamingJob& job,
                                                      RedisCounts* counts, std::stop_token stop) {
  ASSIGN_OR_RETURN(std::unique_ptr<JobStore> store, redis.MakeStore(counts));
  ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client, redis.Connect(counts));
  std::vector<std::string> sources;
  for (const api::Source& source : job.spec.sources) sources.push_back(source.name);
  return std::unique_ptr<CommittedState>(std::make_unique<RedisCommittedState>(
      std::move(store), std::move(client), StateOptions(redis, job), std::move(sources),
      std::move(stop)));
}

std::vector<HttpRoute> StateRoutes(StateQueries* queries) {
  std::vector<HttpRoute> routes;
  for (const char* path : StateQueries::kPaths)
    routes.push_back({"GET", path, [queries](const HttpServerRequest& request) {
                        return queries->Answer(request);
                      }});
  return routes;
}

Status StartSources(const JobParts& parts) {
  for (size_t i = 0; i < parts.sources.size(); ++i) {
    if (parts.sources[i] == nullptr) continue;
    const Status status = parts.sources[i]->Start({});
    if (!status.ok())
      return status.WithContext("source \"" + parts.job->spec.sources[i].name + "\"");
  }
  return OkStatus();
}

// Edits are judged whether the job would run or not: suspending it is the operator's business.
JobFileRequest WatchRequest(const WorkerOptions& options) {
  JobFileRequest request = options.file;
  request.to_run = false;
  return request;
}

Status RunWorker(JobFile file, const WorkerOptions& options, const SignalStop& signals) {
  SystemClock clock;
  const api::StreamingJob& job = *file.job;
  ConfigureLog(LevelOf(job.spec.logging.level), LogFormat::kText);
  RETURN_IF_ERROR(CheckForWorkers(job.spec));
  std::stop_source stop;  // ends waits inside sources and sinks, after the hand-over
  ASSIGN_OR_RETURN(
      const JobRedis redis,
      JobRedis::Create(job, options.job_id, options.secrets_directory, &clock, stop.get_token()));
  RETURN_IF_ERROR(redis.CheckSafety(options.accept_redis_loss));
  const OwnSpec spec = OwnSpecOf(job, file.plan);
  RETURN_IF_ERROR(redis.JoinJob(spec));
  ASSIGN_OR_RETURN(const std::string secret, redis.Secret());
  ASSIGN_OR_RETURN(const std::unique_ptr<PeerNetwork> network, StartNetwork(options, secret));
  JobMetrics metrics(MetricsOptions(job, file.plan), &clock);
  StatusBoard board(job.metadata.name, job.spec.batch_interval, job.spec.health_check.stalled_after,
                    &clock);
  JobEdits edits(job, spec.hash);
  board.AddSection("spec", [&] { return edits.Json(); });
  Listeners listeners;
  listeners.Add(&metrics);
  listeners.Add(&board);
  JobParts parts;
  parts.clock = &clock;
  parts.job = std::move(file.job);
  parts.plan = std::move(file.plan);
  RETURN_IF_ERROR(
      AddParts({redis.job_id(), "", options.secrets_directory, "", true, options.threads, nullptr},
               stop.get_token(), &parts));
  RETURN_IF_ERROR(parts.tables->Start());
  RETURN_IF_ERROR(StartSources(parts));
  RedisTraffic traffic;
  ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> table_client, redis.Connect(&traffic.tables));
  RedisTableVersions tables(std::move(table_client), redis.base(), stop.get_token());
  ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> state_client, redis.Connect(&traffic.state));
  RedisStateLog state(std::move(state_client), StateOptions(redis, *parts.job), &clock);
  WirePorts ports(parts.plan, network.get());
  WorkerMetrics worker_metrics(redis.ns(), redis.job());
  WorkerBoard worker_board;
  Following following(&board);
  ClusterListeners cluster_listeners;
  for (ClusterListener* listener :
       std::initializer_list<ClusterListener*>{&worker_metrics, &worker_board, &following})
    cluster_listeners.Add(listener);
  ClusterEngine engine(&parts, &state, &tables, &ports, &cluster_listeners);
  const std::string name =
      (options.member.empty() ? HostName() : options.member) + "-" + RandomHex(4);
  WorkerProcess process(ProcessOptions(options, *parts.job, spec), &parts, &engine, &tables,
                        network.get(), name, &listeners, &cluster_listeners);
  board.AddSection("worker", [&] { return worker_board.Json(process.status()); });
  ASSIGN_OR_RETURN(const std::unique_ptr<CommittedState> committed,
                   OpenCommitted(redis, *parts.job, &traffic.query, stop.get_token()));
  StateQueries queries(&parts.plan, committed.get());
  std::unique_ptr<HttpServer> server;
  if (!options.metrics_address.empty()) {
    ASSIGN_OR_RETURN(const HttpServerOptions address,
                     ParseAddress("--metrics-address", options.metrics_address));
    ASSIGN_OR_RETURN(
        server, ServeStatus(address, &metrics, board, StateRoutes(&queries), [&] {
          return worker_metrics.Text(SampleOf(process.status(), traffic, network->stats()));
        }));
    Log(LogLevel::kInfo, "serving metrics and status", {{"port", std::to_string(server->port())}});
  }
  Log(LogLevel::kInfo, "worker",
      {{"member", name}, {"address", network->address()}, {"job", redis.base()}});
  JobWatch watch(WatchRequest(options), CheckForWorkers, &edits, &clock,
                 [&](const api::StreamingJobSpec& edited) {
                   ConfigureLog(LevelOf(edited.logging.level), LogFormat::kText);
                   board.Retune(edited.batch_interval, edited.health_check.stalled_after);
                   metrics.SetBatchInterval(edited.batch_interval);
                   process.Retune(edited);
                 });
  const std::jthread watcher([&watch](const std::stop_token& end) { watch.Run(end); });
  const Status status = process.Run(
      [&](StoreUse use) {
        return redis.MakeStore(use == StoreUse::kHeartbeat ? &traffic.heartbeat : &traffic.record);
      },
      signals.token());
  if (!status.ok() || !signals.requested()) board.SetEnded(status);  // leaving is not the job's end
  stop.request_stop();
  for (const std::unique_ptr<Source>& source : parts.sources) {
    if (source != nullptr) source->Stop();
  }
  return status;
}

}  // namespace

int WorkerCommand(const WorkerOptions& options) {
  const SignalStop signals;
  JobFile file;
  JobFileError error;
  JobFileRequest request = options.file;
  request.to_run = true;
  if (!LoadJobFile(request, &file, &error)) {
    for (const std::string& line : error.lines) std::fprintf(stderr, "%s\n", line.c_str());
    return error.exit_code;
  }
  for (const std::string& line : file.warnings) std::fprintf(stderr, "%s\n", line.c_str());
  const Status status = RunWorker(std::move(file), options, signals);
  LeaveLastWords(status, signals.requested());
  if (status.ok()) return kExitOk;
  std::fprintf(stderr, "millrace: %s\n", status.message().c_str());
  return ExitCodeOf(status);
}

}  // namespace millrace::worker
