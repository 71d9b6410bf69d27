#include "crds/api/slots.h"

namespace millrace::api {
namespace {

// A member that groups one value of the flat struct.
void DescribeGroup(Fields& fields, const Field& field, const Describer& describe) {
  fields.OnObject(field, {.has = [] { return true; }, .create = [] {}, .describe = describe});
}

void DescribeOperations(Fields& fields, StreamingJobSpec& value) {
  Object(fields, Optional("autoscaling", "Who sets the number of workers."), value.autoscaling);
  Object(fields, Optional("backpressure", "Adapts the intake to what batches can carry."),
         value.backpressure);
  Bool(fields, Optional("suspend", "Finishes the batch, releases the workers and keeps the state."),
       value.suspend);
  Object(fields, Optional("restartPolicy", "How failed workers come back."), value.restart_policy);
  Object(fields, Optional("poisonBatch", "What happens to a batch that fails again and again."),
         value.poison_batch);
  Object(fields, Optional("healthCheck", "When a job counts as stalled."), value.health_check);
  Object(fields, Optional("upgrade", "How an edit of the job is rolled out."), value.upgrade);
  Object(fields, Optional("reset", "Starts the job anew, once for each id.", "none"), value.reset);
  Object(fields, Optional("deletion", "What deleting the job does."), value.deletion);
  Interval(fields,
           Optional("ttlAfterFinished", "A completed job is deleted after so long.", "none", "24h"),
           value.ttl_after_finished, Duration(0));
}

void DescribeDeployment(Fields& fields, StreamingJobSpec& value) {
  Text(fields, Optional("image", "Image of the workers.", "the operator's"), value.image, kImage);
  Enum(fields, Optional("imagePullPolicy", "When the image is pulled.", "the operator's"),
       value.image_pull_policy, {"Always", "IfNotPresent", "Never"});
  Strings(fields, Optional("imagePullSecrets", "Secrets for the registry.", "the operator's"),
          value.image_pull_secrets, kKubernetesName, 0, kMaxObjects);
  Object(fields, Optional("resources", "Resources of one worker."), value.resources);
  Object(fields, Optional("pod", "Placement, environment and volumes of the workers."), value.pod);
  DescribeGroup(fields, Optional("disruptionBudget", "How many workers maintenance may take."),
                [&](Fields& inner) {
                  Int(inner, Optional("maxUnavailable", "Workers that may be away at a time."),
                      value.disruption_budget_max_unavailable, 0, 1000);
                });
  Object(fields, Optional("metrics", "What is measured and where it is read."), value.metrics);
  Object(fields, Optional("logging", "What is logged and how."), value.logging);
}

}  // namespace

void Describe(Fields& fields, RedisState& value) {
  Strings(fields, Required("addresses", "Redis servers as host:port.", "[\"redis:6379\"]"),
          value.addresses, kHostPort, 1, kMaxObjects);
  Enum(fields, Optional("mode", "What the addresses are."), value.mode,
       {"Standalone", "Sentinel", "Cluster"});
  Text(fields, Optional("masterName", "Name of the master that Sentinel watches.", "none"),
       value.master_name, kNonEmptyText);
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
}

void Describe(Fields& fields, DirectoryState& value) {
  Text(fields, Required("path", "Folder for state, plans and commits.", "/var/lib/millrace"),
       value.path, kPath);
}

void Describe(Fields&, MemoryState&) {}

void Describe(Fields& fields, State& value) {
  Union(fields, Required("", ""), value.kind,
        {{"memory", "In memory; a restart begins anew."},
         {"directory", "In a folder of this machine."},
         {"redis", "In Redis."}});
  Text(fields,
       Optional("id", "Identity of the state where it is not the job's uid.", "metadata.uid"),
       value.id, kKubernetesName);
}

void Describe(Fields& fields, Autoscaling& value) {
  Enum(fields,
       Optional("mode", "Who scales: the operator, something else through /scale, or nobody."),
       value.mode, {"Internal", "External", "Disabled"});
  Int(fields, Optional("minWorkers", "Fewest workers."), value.min_workers, 1, 1000);
  Int(fields, Optional("maxWorkers", "Most workers; required if Internal.", "none"),
      value.max_workers, 1, 1000);
  Int(fields,
      Optional("targetUtilizationPercent", "Share of the interval that batches should take."),
      value.target_utilization_percent, 1, 100);
  Interval(fields, Optional("catchUp", "Time in which a backlog should be worked off."),
           value.catch_up);
  Interval(fields, Optional("scaleDownDelay", "Workers leave after the load was low for so long."),
           value.scale_down_delay, Duration(0));
  Enum(fields, Optional("onMetricLoss", "What happens when nothing is measured."),
       value.on_metric_loss, {"Hold", "Max"});
  Bool(fields, Optional("dryRun", "Only reports what it would do."), value.dry_run);
}

void Describe(Fields& fields, Pid& value) {
  Double(fields, Optional("proportional", "Weight of the present error."), value.proportional, 0);
  Double(fields, Optional("integral", "Weight of the backlog."), value.integral, 0);
  Double(fields, Optional("derivative", "Weight of the error's change."), value.derivative, 0);
}

void Describe(Fields& fields, Backpressure& value) {
  Bool(fields, Optional("enabled", "Off, every batch takes all there is."), value.enabled);
  Object(fields, Optional("pid", "Weights of the rate controller."), value.pid);
  Double(fields, Optional("minRate", "Slowest intake, in records a second."), value.min_rate, 0);
  Double(fields,
         Optional("initialRate",
                  "Intake of a partition before anything is measured, in records a second."),
         value.initial_rate, 0);
}

void Describe(Fields& fields, RestartPolicy& value) {
  Int(fields, Optional("maxRestarts", "The job fails after so many.", "for ever"),
      value.max_restarts, 0);
  Interval(fields, Optional("backoffBase", "First pause before a restart; it doubles."),
           value.backoff_base);
  Interval(fields, Optional("backoffCap", "Longest pause before a restart."), value.backoff_cap);
  Interval(fields,
           Optional("healthyReset", "After so long without a failure the count starts anew."),
           value.healthy_reset);
}

void Describe(Fields& fields, PoisonBatch& value) {
  Enum(fields,
       Optional("action", "Halts the job, or finds the failing record and dead-letters it."),
       value.action, {"Halt", "Bisect"});
  Int(fields, Optional("attempts", "How often a batch is tried."), value.attempts, 1, 1000);
}

void Describe(Fields& fields, HealthCheck& value) {
  Interval(fields, Optional("stalledAfter", "Without a batch for so long the job is stalled."),
           value.stalled_after);
  Interval(fields, Optional("startupTimeout", "Time the first batch may take to come."),
           value.startup_timeout);
}

void Describe(Fields& fields, Rollback& value) {
  Bool(fields, Optional("enabled", "Goes back when the new version does not get healthy."),
       value.enabled);
  Interval(fields, Optional("deadline", "Time the new version has."), value.deadline);
}

void Describe(Fields& fields, Upgrade& value) {
  Enum(fields, Optional("mode", "Keeps the state, or begins without."), value.mode,
       {"Stateful", "Stateless"});
  Bool(fields, Optional("allowStateLoss", "Allows an edit that drops state."),
       value.allow_state_loss);
  Object(fields, Optional("rollback", "Return to the last healthy version.", "none"),
         value.rollback);
}

void Describe(Fields& fields, Reset& value) {
  Text(fields, Required("id", "A new id asks for a new reset.", "2024-06-01-replay"), value.id,
       kNonEmptyText);
  DescribeKafkaStart(fields, Optional("startFrom", "Where the sources begin.", "the sources' own"),
                     value.start_from);
  Enum(fields, Required("state", "What happens to the state.", "Discard"), value.state,
       {"Keep", "Discard"});
}

void Describe(Fields& fields, Deletion& value) {
  Bool(fields, Optional("drain", "Finishes the batch first."), value.drain);
  Bool(fields, Optional("deleteState", "Deletes the state too."), value.delete_state);
  Interval(fields, Optional("timeout", "Deletes anyway after so long."), value.timeout);
}

void Describe(Fields& fields, Metrics& value) {
  Int(fields, Optional("port", "Port for metrics."), value.port, 1, 65535);
  Bool(fields, Optional("stepDetail", "Measures every step."), value.step_detail);
  Bool(fields, Optional("podMonitor", "Creates a PodMonitor."), value.pod_monitor);
}

void Describe(Fields& fields, Logging& value) {
  Enum(fields, Optional("level", "Least level that is logged."), value.level,
       {"Debug", "Info", "Warn", "Error"});
  Enum(fields, Optional("format", "Form of an entry."), value.format, {"Json", "Text"});
  Bool(fields, Optional("sampleBadRecords", "Logs the content of some bad records."),
       value.sample_bad_records);
}

void Describe(Fields& fields, StreamingJobSpec& value) {
  constexpr Duration kShortestBatch = std::chrono::milliseconds(5);
  Interval(fields, Optional("batchInterval", "Distance between two batches."), value.batch_interval,
           kShortestBatch);
  Enum(fields, Optional("missedBatches", "Late batches run one by one, or as one."),
       value.missed_batches, {"Replay", "Coalesce"});
  Enum(fields, Optional("onError", "Default policy of sources, steps and sinks."), value.on_error,
       {"Fail", "Skip", "", "DeadLetter"});
  List(fields, Required("sources", "Where records come from."), value.sources, 1);
  List(fields, Optional("tables", "Data to look up.", "[]"), value.tables);
  List(fields, Optional("models", "Models for predict().", "[]"), value.models);
  List(fields, Optional("streams", "What happens to the records.", "[]"), value.streams);
  List(fields, Required("sinks", "Where results go."), value.sinks, 1);
  Object(fields,
         Optional("state", "Where state, plans and commits are kept.",
                  "memory locally; redis required in a cluster"),
         value.state);
  Int(fields, Optional("maxParallelism", "Key groups; never changes."), value.max_parallelism, 1,
      4096);
  Int(fields, Optional("workers", "Number of workers."), value.workers, 0, 1000);
  DescribeOperations(fields, value);
  DescribeDeployment(fields, value);
}

void Describe(Fields& fields, ObjectMeta& value) {
  Text(fields, Required("name", "Name of the job.", "word-count"), value.name, kObjectName);
  Text(fields, Optional("namespace", "Namespace of the job."), value.ns, kObjectName);
  Text(fields, Optional("uid", "Set by the API server.", "none"), value.uid, kAnyText);
  Int(fields, Optional("generation", "Set by the API server.", "none"), value.generation, 0);
  StringMap(fields, Optional("labels", "Labels of the job.", "{}"), value.labels, kNonEmptyText,
            kAnyText);
  StringMap(fields, Optional("annotations", "Annotations of the job.", "{}"), value.annotations,
            kNonEmptyText, kAnyText);
}

}  // namespace millrace::api
