#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crds/api/spec_formats.h"
#include "crds/api/spec_sinks.h"
#include "crds/api/spec_sources.h"
#include "crds/api/spec_steps.h"
#include "crds/api/spec_tables.h"
#include "crds/base/clock.h"

// The StreamingJob as values (streaming.millrace.io/v1alpha1). Field names are those of the
// manifest in snake_case; defaults are the documented ones. CEL expressions and type texts are
// plain strings here; worker/plan checks them. Nothing in this header validates: see codec.h
// (shape, units, names) and validate.h (rules between fields). All types are values: freely copied,
// thread-compatible.
namespace millrace::api {

struct RedisState {
  std::vector<std::string> addresses;
  enum class Mode { kStandalone, kSentinel, kCluster } mode = Mode::kStandalone;
  std::optional<std::string> master_name;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct DirectoryState {
  std::string path;
};
struct MemoryState {};
using StateKind = std::variant<MemoryState, DirectoryState, RedisState>;
struct State {
  StateKind kind = MemoryState{};
  std::optional<std::string> id;  // overrides metadata.uid as job id
};

struct Autoscaling {
  enum class Mode { kInternal, kExternal, kDisabled } mode = Mode::kDisabled;
  int64_t min_workers = 1;
  std::optional<int64_t> max_workers;
  int64_t target_utilization_percent = 70;
  Duration catch_up = std::chrono::minutes(10);
  Duration scale_down_delay = std::chrono::minutes(10);
  enum class OnMetricLoss { kHold, kMax } on_metric_loss = OnMetricLoss::kHold;
  bool dry_run = false;
};
struct Pid {
  double proportional = 1.0;
  double integral = 0.2;
  double derivative = 0.0;
};
struct Backpressure {
  bool enabled = true;
  Pid pid;
  double min_rate = 100;        // records/s
  double initial_rate = 10000;  // records/s per partition
};
struct RestartPolicy {
  std::optional<int64_t> max_restarts;
  Duration backoff_base = std::chrono::seconds(1);
  Duration backoff_cap = std::chrono::minutes(5);
  Duration healthy_reset = std::chrono::minutes(10);
};
struct PoisonBatch {
  enum class Action { kHalt, kBisect } action = Action::kHalt;
  int64_t attempts = 3;
};
struct HealthCheck {
  Duration stalled_after = std::chrono::minutes(2);
  Duration startup_timeout = std::chrono::minutes(5);
};
struct Rollback {
  bool enabled = false;
  Duration deadline = std::chrono::minutes(10);
};
struct Upgrade {
  enum class Mode { kStateful, kStateless } mode = Mode::kStateful;
  bool allow_state_loss = false;
  std::optional<Rollback> rollback;
};
struct Reset {
  std::string id;
  std::optional<KafkaStart> start_from;
  enum class StateAction { kKeep, kDiscard } state = StateAction::kKeep;
};
struct Deletion {
  bool drain = true;
  bool delete_state = true;
  Duration timeout = std::chrono::minutes(5);
};
struct Resources {
  std::map<std::string, std::string> requests{{"cpu", "500m"}, {"memory", "512Mi"}};
  std::map<std::string, std::string> limits{{"memory", "1Gi"}};
};
struct Toleration {
  std::optional<std::string> key, operation, value, effect;
  std::optional<int64_t> toleration_seconds;
};
struct EnvVar {
  std::string name, value;
};
struct PersistentVolumeClaimVolume {
  std::string claim_name;
};
struct ConfigMapVolume {
  std::string name;
};
struct SecretVolume {
  std::string secret_name;
};
struct EmptyDirVolume {
  std::optional<std::string> size_limit;
};
using VolumeKind =
    std::variant<PersistentVolumeClaimVolume, ConfigMapVolume, SecretVolume, EmptyDirVolume>;
struct Volume {
  std::string name, mount_path;
  bool read_only = false;
  VolumeKind kind;
};
struct Pod {
  std::map<std::string, std::string> labels, annotations, node_selector;
  std::vector<Toleration> tolerations;
  std::optional<std::string> priority_class_name, service_account_name;
  Duration termination_grace_period = std::chrono::seconds(60);
  enum class TopologySpread { kZone, kHost, kDisabled } topology_spread = TopologySpread::kHost;
  std::vector<EnvVar> env;
  std::vector<Volume> volumes;
};
struct Metrics {
  int port = 9090;
  bool step_detail = true;
  bool pod_monitor = false;
};
struct Logging {
  enum class Level { kDebug, kInfo, kWarn, kError } level = Level::kInfo;
  enum class Format { kJson, kText } format = Format::kJson;
  bool sample_bad_records = false;
};

struct StreamingJobSpec {
  Duration batch_interval = std::chrono::seconds(1);
  enum class MissedBatches { kReplay, kCoalesce } missed_batches = MissedBatches::kReplay;
  ErrorPolicy on_error = ErrorPolicy::kFail;
  std::vector<Source> sources;
  std::vector<Table> tables;
  std::vector<Model> models;
  std::vector<Stream> streams;
  std::vector<Sink> sinks;
  std::optional<State> state;  // none: memory locally, an error in a cluster
  int max_parallelism = 128;
  int64_t workers = 1;
  Autoscaling autoscaling;
  Backpressure backpressure;
  bool suspend = false;
  RestartPolicy restart_policy;
  PoisonBatch poison_batch;
  HealthCheck health_check;
  Upgrade upgrade;
  std::optional<Reset> reset;
  Deletion deletion;
  std::optional<Duration> ttl_after_finished;
  std::optional<std::string> image;
  enum class PullPolicy { kAlways, kIfNotPresent, kNever };
  std::optional<PullPolicy> image_pull_policy;
  std::vector<std::string> image_pull_secrets;
  Resources resources;
  Pod pod;
  int64_t disruption_budget_max_unavailable = 1;
  Metrics metrics;
  Logging logging;
};

struct ObjectMeta {
  std::string name;
  std::string ns = "default";
  std::string uid;
  int64_t generation = 0;
  std::map<std::string, std::string> labels, annotations;
};

struct StreamingJob {
  ObjectMeta metadata;
  StreamingJobSpec spec;
};

}  // namespace millrace::api
