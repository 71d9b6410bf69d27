#include "crds/crd/rules.h"

#include <algorithm>
#include <array>

namespace millrace::crd {
namespace {

using RuleList = std::vector<Rule>;

// Refused by a rule below, so their members need no schema.
constexpr std::array<std::string_view, 15> kRefused{
    "*.format.avro",
    "*.format.protobuf",
    "spec.sinks[].format.regex",
    "spec.tables[].sql",
    "spec.sinks[].sql",
    "spec.sinks[].elasticsearch",
    "spec.models[]",
    "spec.reset",
    "*.aggregate.window.interval",
    "*.top.window.session",
    "*.top.window.count",
    "*.top.window.interval",
    "*.join.window.sliding",
    "*.join.window.session",
    "*.join.window.count",
};

// What only a cluster asks for, and what an edit must not change.
RuleList ClusterRules() {
  return {
      {"spec", "has(self.state) && has(self.state.redis)",
       "state.redis is required in a cluster, for example {addresses: [\"redis:6379\"]}"},
      {"spec.state", "self == oldSelf",
       "state is fixed: another store would begin anew; create a new job instead"},
      {"spec", "self.maxParallelism == oldSelf.maxParallelism",
       "maxParallelism is fixed: the state is divided by it; create a new job instead"},
      {"spec.sources[]", "!has(self.stdin)", "stdin works in local runs only"},
  };
}

// Parts of the contract that this version does not run.
RuleList UnsupportedRules() {
  return {
      {"*[].format", "!has(self.avro) && !has(self.protobuf)",
       "avro and protobuf are not supported yet; use json or csv"},
      {"spec.tables[]", "!has(self.sql)",
       "tables from sql are not supported yet; use file, http, redis, kafka or stream"},
      {"spec.tables[]", "self.distribution != 'Partitioned'",
       "distribution: Partitioned is not supported yet; use Broadcast"},
      {"spec", "!has(self.models) || self.models.size() == 0", "models are not supported yet"},
      {"spec.sinks[]", "!has(self.sql)",
       "the sink sql is not supported yet; use console, file, http, kafka or redis"},
      {"spec.sinks[]", "!has(self.elasticsearch)",
       "the sink elasticsearch is not supported yet; use console, file, http, kafka or redis"},
      {"spec", "!has(self.reset)", "reset is not supported yet"},
  };
}

RuleList SourceRules() {
  return {
      {"spec.sources[]", "has(self.generator) != has(self.format)",
       "format is required, but for generator, which makes records and takes none"},
      {"spec.sources[].file", "!self.follow || self.watch",
       "follow reads growing files, which watch: false does not; remove one of them"},
      {"spec.sources[].file", "!self.follow || !(self.compression in ['Gzip', 'Zstd'])",
       "follow cannot read compressed files; use compression: None"},
      {"spec.sources[].format.csv", "has(self.schema)", "csv.schema is required to read"},
      {"spec.sources[].format.csv", "self.header || has(self.columns)",
       "reading needs header: true, or the order in columns"},
  };
}

RuleList TableRules() {
  return {
      {"spec.tables[]", "has(self.format) == (has(self.file) || has(self.http) || has(self.kafka))",
       "format is required for file, http and kafka; other tables give rows and take none"},
      {"spec.tables[]", "!has(self.refreshInterval) || !(has(self.stream) || has(self.kafka))",
       "stream and kafka tables change with every batch; remove refreshInterval"},
      {"spec.tables[]", "!has(self.deleteWhen) || has(self.stream) || has(self.kafka)",
       "deleteWhen works in stream and kafka tables only; others are replaced as a whole"},
      {"spec.tables[].format.csv", "has(self.schema)", "csv.schema is required to read"},
      {"spec.tables[].format.csv", "self.header || has(self.columns)",
       "reading needs header: true, or the order in columns"},
  };
}

RuleList WindowRules() {
  return {
      {"*.window.tumbling", "duration(self.offset) < duration(self.length)",
       "offset must be less than length"},
      {"*.window.sliding", "duration(self.slide) <= duration(self.length)",
       "slide must not exceed length"},
      {"*.window.session", "duration(self.gap) <= duration(self.maxLength)",
       "gap must not exceed maxLength"},
      {"*.window.count", "!has(self.slide) || self.slide <= self.length",
       "slide must not exceed length"},
      {"*.aggregate", "!has(self.window.interval)", "aggregate takes no interval window"},
      {"*.top",
       "!(has(self.window.session) || has(self.window.count) || has(self.window.interval))",
       "top takes a batch, global, tumbling or sliding window"},
      {"*.join",
       "!(has(self.window.sliding) || has(self.window.session) || has(self.window.count))",
       "join takes a batch, global, tumbling or interval window"},
      {"*.aggregate", "!has(self.emit) || self.emit != 'Final' || !has(self.window.global)",
       "emit: a global window never closes; use Changes or All"},
      {"*.top", "!has(self.emit) || self.emit != 'Final' || !has(self.window.global)",
       "emit: a global window never closes; use Changes or All"},
      {"*.join", "self.type == 'Inner' || !has(self.window.global)",
       "type: an outer join needs a window that closes; with global only Inner works"},
  };
}

RuleList StepRules() {
  return {
      {"spec.streams[].steps[]",
       "!has(self.onError) || self.onError != 'SetNull' || has(self.map) || has(self.set)",
       "onError: SetNull works only in map and set"},
      {"*.aggregate", "!has(self.deleteWhen) || has(self.latestBy)",
       "deleteWhen removes the contribution of a latestBy key, and there is no latestBy"},
      {"*.join", "!has(self.withKey) || self.withKey.size() == self.key.size()",
       "withKey must have as many fields as key"},
      {"spec.streams[].steps[].state", "!has(self.onTimeout) || has(self.timeout)",
       "onTimeout needs a timeout"},
      {"spec.streams[].steps[].state", "!has(self.time) || has(self.timeout)",
       "time is the clock of the timeout, and there is none"},
  };
}

RuleList SinkRules() {
  return {
      {"spec.sinks[]", "has(self.format) || !(has(self.file) || has(self.kafka) || has(self.http))",
       "format is required for file, kafka and http, for example {json: {}}"},
      {"spec.sinks[]",
       "!has(self.console) || !has(self.delivery) || self.delivery != 'ExactlyOnce'",
       "delivery: a terminal takes no rows back, so console is AtLeastOnce"},
      {"spec.sinks[].format", "!has(self.regex)",
       "regex reads lines, it cannot write them; use text, json or csv"},
      {"spec.sinks[].format.json", "!has(self.schema)",
       "schema: the types are those of the records; remove it"},
      {"spec.sinks[].format.csv", "!has(self.schema)",
       "schema: the types are those of the records; remove it"},
      {"spec.sinks[].kafka", "!has(self.deleteWhen) || has(self.keyExpr)",
       "deleteWhen writes a tombstone, which needs a key; give the sink a keyExpr"},
      {"spec.sinks[].redis", "(self.type == 'SortedSet') == has(self.scoreExpr)",
       "scoreExpr is required for type SortedSet and works with no other"},
      {"spec.sinks[].redis", "!has(self.valueExpr) || self.type in ['String', 'List', 'SortedSet']",
       "valueExpr works with the types String, List and SortedSet; others write the fields"},
      {"spec.sinks[]",
       "!has(self.redis) || has(self.format) || has(self.redis.valueExpr) || "
       "!(self.redis.type in ['String', 'List', 'SortedSet'])",
       "redis writes one value with this type: give it a valueExpr, or the sink a format"},
      {"spec",
       "self.sinks.all(s, !has(s.kafka) || duration(s.kafka.transactionTimeout) > "
       "duration(self.batchInterval))",
       "kafka.transactionTimeout must be longer than batchInterval"},
  };
}

RuleList OperationRules() {
  return {
      {"spec.state.redis", "self.mode != 'Sentinel' || has(self.masterName)",
       "mode Sentinel needs a masterName"},
      {"spec.state.redis", "self.mode == 'Sentinel' || !has(self.masterName)",
       "masterName works with mode: Sentinel only"},
      {"spec.state.redis", "self.mode != 'Standalone' || self.addresses.size() == 1",
       "mode Standalone has one address; use mode: Cluster or Sentinel for more"},
      {"spec.autoscaling", "!has(self.mode) || self.mode != 'Internal' || has(self.maxWorkers)",
       "mode Internal needs maxWorkers"},
      {"spec.autoscaling",
       "!has(self.maxWorkers) || self.maxWorkers >= (has(self.minWorkers) ? self.minWorkers : 1)",
       "maxWorkers must be at least minWorkers"},
      {"spec.autoscaling",
       "!has(self.mode) || self.mode != 'External' || ![has(self.minWorkers), "
       "has(self.maxWorkers), has(self.targetUtilizationPercent), has(self.catchUp), "
       "has(self.scaleDownDelay), has(self.onMetricLoss), has(self.dryRun)].exists(x, x)",
       "External leaves the number of workers to others; remove all fields but mode"},
      {"spec.restartPolicy", "duration(self.backoffBase) <= duration(self.backoffCap)",
       "backoffCap must be at least backoffBase"},
      {"spec.resources",
       "[self.requests, self.limits].all(m, m.all(k, k in ['cpu', 'memory', "
       "'ephemeral-storage']))",
       "the resources are cpu, memory and ephemeral-storage"},
      {"spec.pod.volumes[]", "self.mountPath.startsWith('/')", "mountPath must begin with /"},
  };
}

bool Matches(std::string_view where, std::string_view path) {
  if (where.starts_with('*')) return path.ends_with(where.substr(1));
  return where == path;
}

}  // namespace

const std::vector<Rule>& Rules() {
  static const RuleList kRules = [] {
    RuleList all;
    for (const RuleList& part : {ClusterRules(), UnsupportedRules(), SourceRules(), TableRules(),
                                 WindowRules(), StepRules(), SinkRules(), OperationRules()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return kRules;
}

bool IsRefused(std::string_view path) {
  return std::any_of(kRefused.begin(), kRefused.end(),
                     [&](std::string_view where) { return Matches(where, path); });
}

std::vector<Rule> RulesAt(std::string_view path) {
  std::vector<Rule> found;
  for (const Rule& rule : Rules()) {
    if (Matches(rule.where, path)) found.push_back(rule);
  }
  return found;
}

Tree MakeRule(const Rule& rule) { return {{"rule", rule.cel}, {"message", rule.message}}; }

}  // namespace millrace::crd
