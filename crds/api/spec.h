#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crds/base/clock.h"

// The StreamingJob as values (streaming.millrace.io/v1alpha1). Field names are those of the manifest in snake_case; defaults are
// the documented ones. CEL expressions and type texts are plain strings here; worker/plan checks them. Nothing in this
// header validates: see codec.h (shape, units, names) and validate.h (rules between fields).
// All types are values: freely copied, thread-compatible.
namespace millrace::api {

using Expression = std::string;                       // CEL
using ExpressionMap = std::map<std::string, Expression>;  // field -> CEL
using TypeText = std::string;                         // "list<struct<sku: string, qty: int>>"
using SchemaMap = std::map<std::string, TypeText>;    // field -> type

// ---- common parts -------------------------------------------------------------------------------------------

struct Auth {
  std::string secret_name;
  std::optional<std::string> username;
};

enum class SaslMechanism { kPlain, kScramSha256, kScramSha512, kOAuthBearer };
struct Sasl {
  SaslMechanism mechanism = SaslMechanism::kPlain;
  std::string secret_name;
  std::optional<std::string> username;
};

struct Tls {
  std::optional<std::string> secret_name;
  std::optional<std::string> server_name;
};

struct ConfigMapKeyRef {
  std::string name;
  std::string key;
};
// Exactly one is set.
struct FileRef {
  std::optional<std::string> path;
  std::optional<ConfigMapKeyRef> config_map_key_ref;
};

enum class ErrorPolicy { kFail, kSkip, kSetNull, kDeadLetter };
enum class Compression { kAuto, kNone, kGzip, kZstd, kSnappy, kLz4 };

// ---- formats ------------------------------------------------------------------------------------------------

// kStrptime carries its layout in TimestampFormat::layout.
enum class TimestampKind { kRfc3339, kUnixSeconds, kUnixMillis, kUnixMicros, kStrptime };
struct TimestampFormat {
  TimestampKind kind = TimestampKind::kRfc3339;
  std::string layout;
};

struct Registry {
  std::string url;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
  std::optional<std::string> subject;
  bool auto_register = false;
};

struct TextFormat {};
struct RawFormat {};
struct JsonFormat {
  std::optional<SchemaMap> schema;  // none: one field `value: json`
  TimestampFormat timestamp_format;
  std::map<std::string, std::string> names;  // field -> name in the data
  enum class UnknownFields { kIgnore, kError } unknown_fields = UnknownFields::kIgnore;
  bool omit_null = false;
};
struct CsvFormat {
  std::optional<SchemaMap> schema;  // required to read
  std::optional<std::vector<std::string>> columns;
  bool header = false;
  char delimiter = ',';
  TimestampFormat timestamp_format;
};
struct RegexFormat {
  std::string pattern;
  SchemaMap schema;
  TimestampFormat timestamp_format;
};
struct AvroFormat {
  std::optional<SchemaMap> schema;
  std::optional<Registry> registry;
  std::optional<FileRef> definition;
};
struct ProtobufFormat {
  std::optional<SchemaMap> schema;
  std::string message;
  std::optional<Registry> registry;
  std::optional<FileRef> definition;
};
using Format = std::variant<TextFormat, RawFormat, JsonFormat, CsvFormat, RegexFormat, AvroFormat, ProtobufFormat>;

// ---- sources ------------------------------------------------------------------------------------------------

struct StartFromEarliest {};
struct StartFromLatest {};
struct StartFromOffsets {
  std::map<std::string, int64_t> offsets;  // "topic/partition" -> offset
};
using KafkaStart = std::variant<StartFromEarliest, StartFromLatest, TimePoint, StartFromOffsets>;
using KafkaEnd = std::variant<StartFromLatest, TimePoint>;

struct KafkaSource {
  std::vector<std::string> brokers;
  std::vector<std::string> topics;           // one of topics,
  std::optional<std::string> topic_pattern;  // topic_pattern
  KafkaStart start_from = StartFromLatest{};
  std::optional<KafkaEnd> end_at;
  std::optional<std::string> group_id;
  enum class MissingOffsets { kFail, kEarliest, kLatest } on_missing_offsets = MissingOffsets::kFail;
  enum class Tombstones { kError, kSkip, kKeep } tombstones = Tombstones::kError;
  enum class Isolation { kReadCommitted, kReadUncommitted } isolation = Isolation::kReadCommitted;
  std::optional<Tls> tls;
  std::optional<Sasl> sasl;
  std::map<std::string, std::string> properties;
};
struct FileSource {
  std::string path;  // directory or glob
  bool watch = true;
  bool follow = false;
  enum class Start { kEarliest, kLatest } start_from = Start::kEarliest;
  int64_t max_files_per_batch = 1000;
  Compression compression = Compression::kAuto;  // Auto None Gzip Zstd
};
struct SocketSource {
  std::string host;
  int port = 0;
  Duration reconnect_delay = std::chrono::seconds(2);
};
struct HttpSource {
  int port = 0;
  std::string path = "/";
  int64_t max_body_bytes = 1 << 20;
  std::optional<Auth> auth;
};
struct GeneratorSource {
  enum class Preset { kNexmark, kYsb };
  ExpressionMap fields;          // one of fields,
  std::optional<Preset> preset;  // preset
  int64_t rate = 1;              // records/s over all partitions
  std::optional<int64_t> count;
  int partitions = 1;
};
struct StdinSource {};
using SourceKind = std::variant<FileSource, SocketSource, HttpSource, GeneratorSource, StdinSource, KafkaSource>;

struct EventTime {
  Expression timestamp_expr;
  Duration watermark_delay{0};
  Duration idle_timeout = std::chrono::seconds(30);
  Duration max_future = std::chrono::hours(1);
};

struct Source {
  std::string name;
  SourceKind kind;
  std::optional<Format> format;  // none only for generator
  std::optional<EventTime> event_time;
  std::optional<int64_t> max_rate_per_partition;  // records/s
  std::optional<ErrorPolicy> on_error;
};

// ---- windows ------------------------------------------------------------------------------------------------

struct BatchWindow {};
struct GlobalWindow {
  std::optional<Duration> ttl;
};
struct TumblingWindow {
  Duration length{0};
  Duration offset{0};
};
struct SlidingWindow {
  Duration length{0};
  Duration slide{0};
};
struct SessionWindow {
  Duration gap{0};
  Duration max_length = std::chrono::hours(24);
};
struct CountWindow {
  int64_t length = 0;
  std::optional<int64_t> slide;  // default: length
};
struct IntervalWindow {
  Duration before{0};
  Duration after{0};
};
using Window = std::variant<BatchWindow, GlobalWindow, TumblingWindow, SlidingWindow, SessionWindow, CountWindow,
                            IntervalWindow>;

enum class TimeDomain { kEvent, kProcessing };
enum class Emit { kFinal, kChanges, kAll };
enum class OnLate { kDrop, kDeadLetter };

// ---- steps --------------------------------------------------------------------------------------------------

struct MapStep {
  ExpressionMap fields;
};
struct SetStep {
  ExpressionMap fields;
};
struct DropStep {
  std::vector<std::string> fields;
};
struct FlatMapStep {
  std::string field;
  Expression list;
};
struct FilterStep {
  Expression condition;
};
struct UnionStep {
  std::vector<std::string> streams;
};
struct AggregateStep {
  std::vector<std::string> key;
  Window window;
  ExpressionMap values;  // field -> aggregate expression
  std::optional<TimeDomain> time;
  std::optional<Emit> emit;
  std::vector<std::string> latest_by;
  std::optional<Expression> delete_when;
  OnLate on_late = OnLate::kDrop;
};
struct OrderBy {
  Expression value;
  enum class Direction { kAscending, kDescending } direction = Direction::kDescending;
};
struct TopStep {
  int64_t limit = 0;
  std::vector<OrderBy> order_by;
  std::vector<std::string> key;
  Window window;
  bool ties = false;
  std::optional<TimeDomain> time;
  std::optional<Emit> emit;
  OnLate on_late = OnLate::kDrop;
};
struct JoinStep {
  std::string with;
  std::vector<std::string> key;
  std::vector<std::string> with_key;  // filled with `key` when not given
  Window window;
  enum class Type { kInner, kLeft, kRight, kFull } type = Type::kInner;
  std::string as;  // filled with `with` when not given
  std::optional<TimeDomain> time;
};
struct LookupStep {
  std::string table;
  ExpressionMap match;  // table key field -> expression
  enum class Type { kInner, kLeft } type = Type::kLeft;
  std::string as;  // filled with `table` when not given
};
struct DedupStep {
  std::vector<std::string> key;
  Duration within{0};
  std::optional<TimeDomain> time;
};
struct StateField {
  TypeText type;
  std::optional<Expression> init;
};
struct StateOutput {
  Expression when = "true";
  ExpressionMap fields;  // empty: the record itself
};
struct StateTimeout {
  std::optional<Duration> idle;       // one of idle,
  std::optional<Expression> at_expr;  // at_expr
};
struct StateOnTimeout {
  Expression when = "true";
  ExpressionMap fields;
};
struct StateStep {
  std::vector<std::string> key;
  std::map<std::string, StateField> fields;
  ExpressionMap update;
  StateOutput output;
  std::optional<Expression> remove_when;
  std::optional<StateTimeout> timeout;
  std::optional<TimeDomain> time;
  std::optional<StateOnTimeout> on_timeout;
  std::optional<Expression> order_expr;
  std::optional<std::string> initial;  // table
};
struct SampleStep {
  double fraction = 0;
  int64_t seed = 0;
};
struct RepartitionStep {
  std::vector<std::string> key;   // one of key,
  std::optional<int> partitions;  // partitions
};
using StepKind = std::variant<MapStep, SetStep, DropStep, FlatMapStep, FilterStep, UnionStep, AggregateStep, TopStep, JoinStep,
                              LookupStep, DedupStep, StateStep, SampleStep, RepartitionStep>;

struct Step {
  std::string name;  // filled with the kind when not given
  StepKind kind;
  std::optional<ErrorPolicy> on_error;
};
// "map", "flatMap", ... as in the manifest.
const char* StepKindName(const StepKind& kind);

struct Stream {
  std::string name;
  std::string from;
  std::vector<Step> steps;
};

// ---- tables and models --------------------------------------------------------------------------------------

struct FileTable {
  FileRef ref;
};
struct HttpTable {
  std::string url;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct SqlTable {
  std::string url;
  std::string query;
  SchemaMap schema;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct RedisTable {
  std::string address;
  std::string hash;
  SchemaMap schema;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct KafkaTable {
  std::vector<std::string> brokers;
  std::string topic;
  std::optional<Tls> tls;
  std::optional<Sasl> sasl;
};
struct StreamTable {
  std::string from;
};
using TableKind = std::variant<FileTable, HttpTable, SqlTable, RedisTable, KafkaTable, StreamTable>;

struct Table {
  std::string name;
  std::vector<std::string> key;
  TableKind kind;
  std::optional<Format> format;  // file, http, kafka
  std::optional<Duration> refresh_interval;
  enum class OnRefreshError { kKeepLast, kFail } on_refresh_error = OnRefreshError::kKeepLast;
  std::optional<Expression> delete_when;
  enum class Distribution { kBroadcast, kPartitioned } distribution = Distribution::kBroadcast;
  int64_t max_rows = 1'000'000;
};

struct TrainedModel {
  std::string from;
  Expression features_expr;
  std::optional<Expression> label_expr;
  std::optional<int64_t> k;
  double step_size = 0.1;
  std::optional<double> half_life;
};
struct JsonModel {
  FileRef ref;
};
struct OnnxModel {
  FileRef ref;
};
struct LinearRegressionModel : TrainedModel {};
struct LogisticRegressionModel : TrainedModel {};
struct KMeansModel : TrainedModel {};
using ModelKind = std::variant<JsonModel, OnnxModel, LinearRegressionModel, LogisticRegressionModel, KMeansModel>;
struct Model {
  std::string name;
  int64_t features = 0;
  std::optional<Duration> refresh_interval;
  ModelKind kind;
};

// ---- sinks --------------------------------------------------------------------------------------------------

struct ConsoleSink {
  int64_t rows = 10;
};
struct FileSink {
  std::string path;
  std::optional<Expression> path_expr;
  Compression compression = Compression::kNone;  // None Gzip Zstd
};
struct KafkaTopicCreation {
  std::optional<int32_t> partitions;  // none: the brokers' default
  std::optional<int32_t> replication_factor;
  std::map<std::string, std::string> config;
};
struct KafkaSink {
  std::vector<std::string> brokers;
  std::optional<std::string> topic;
  std::optional<Expression> topic_expr;
  std::optional<Expression> key_expr;
  ExpressionMap header_exprs;
  std::optional<Expression> timestamp_expr;
  std::optional<Expression> partition_expr;
  std::optional<Expression> delete_when;
  Compression compression = Compression::kLz4;
  Duration transaction_timeout = std::chrono::seconds(60);
  std::optional<KafkaTopicCreation> create_topic;
  std::optional<Tls> tls;
  std::optional<Sasl> sasl;
  std::map<std::string, std::string> properties;
};
struct HttpSink {
  std::string url;
  enum class Method { kPost, kPut } method = Method::kPost;
  std::map<std::string, std::string> headers;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
  int64_t rows_per_request = 1;
  Duration timeout = std::chrono::seconds(10);
};
struct RedisSink {
  std::string address;
  Expression key_expr;
  enum class Type { kHash, kString, kList, kSortedSet, kStream } type = Type::kHash;
  std::optional<Expression> value_expr;
  std::optional<Expression> score_expr;
  std::optional<Duration> ttl;
  std::optional<Expression> delete_when;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct SqlSink {
  std::string url;
  std::string table;
  enum class Mode { kInsert, kUpsert } mode = Mode::kInsert;
  std::vector<std::string> key;
  std::optional<Expression> delete_when;
  std::string ledger_table = "millrace_ledger";
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
struct ElasticsearchSink {
  std::vector<std::string> urls;
  std::optional<std::string> index;
  std::optional<Expression> index_expr;
  std::optional<Expression> id_expr;
  std::optional<Expression> delete_when;
  std::optional<Auth> auth;
  std::optional<Tls> tls;
};
using SinkKind = std::variant<ConsoleSink, FileSink, KafkaSink, HttpSink, RedisSink, SqlSink, ElasticsearchSink>;
enum class Delivery { kExactlyOnce, kAtLeastOnce };

struct Sink {
  std::string name;
  std::string from;  // a stream, a source, or "deadLetters"
  std::optional<std::vector<std::string>> fields;
  SinkKind kind;
  std::optional<Format> format;
  std::optional<Delivery> delivery;  // default: the strongest the kind has
  std::optional<ErrorPolicy> on_error;
};

// ---- the rest of spec ---------------------------------------------------------------------------------------

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
using VolumeKind = std::variant<PersistentVolumeClaimVolume, ConfigMapVolume, SecretVolume, EmptyDirVolume>;
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
