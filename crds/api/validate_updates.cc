#include "crds/api/stream_graph.h"
#include "crds/api/validate.h"

namespace millrace::api {
namespace {

constexpr const char* kBecause =
    "the records before it are an updating stream (rows replace earlier ones), which it would "
    "count twice; ";

bool IsBatch(const Window& window) { return std::holds_alternative<BatchWindow>(window); }

// Why the step cannot follow an updating stream; empty when it can.
std::string Refusal(const StepKind& kind) {
  if (const auto* step = std::get_if<AggregateStep>(&kind);
      step != nullptr && !IsBatch(step->window) && step->latest_by.empty()) {
    return std::string(kBecause) +
           "name the fields that identify a row with latestBy, or use emit: Final before it";
  }
  if (const auto* step = std::get_if<TopStep>(&kind); step != nullptr && !IsBatch(step->window)) {
    return std::string(kBecause) + "use window: {batch: {}}, or emit: Final before it";
  }
  if (const auto* step = std::get_if<JoinStep>(&kind); step != nullptr && !IsBatch(step->window)) {
    return std::string(kBecause) + "use emit: Final before it, or a stream table and lookup";
  }
  if (std::holds_alternative<DedupStep>(kind) || std::holds_alternative<StateStep>(kind)) {
    return std::string(kBecause) + "use emit: Final before it";
  }
  return "";
}

// Whether a later row can take the place of an earlier one in the sink.
bool Replaces(const Sink& sink) {
  if (std::holds_alternative<HttpSink>(sink.kind)) return false;
  if (const auto* kafka = std::get_if<KafkaSink>(&sink.kind)) return kafka->key_expr.has_value();
  if (const auto* sql = std::get_if<SqlSink>(&sink.kind))
    return sql->mode == SqlSink::Mode::kUpsert;
  if (const auto* search = std::get_if<ElasticsearchSink>(&sink.kind))
    return search->id_expr.has_value();
  if (const auto* redis = std::get_if<RedisSink>(&sink.kind)) {
    return redis->type != RedisSink::Type::kList && redis->type != RedisSink::Type::kStream;
  }
  return true;
}

std::string WayOut(const Sink& sink) {
  if (std::holds_alternative<KafkaSink>(sink.kind)) return "give it a keyExpr";
  if (std::holds_alternative<SqlSink>(sink.kind)) return "use mode: Upsert with a key";
  if (std::holds_alternative<ElasticsearchSink>(sink.kind)) return "give it an idExpr";
  if (std::holds_alternative<RedisSink>(sink.kind)) return "use type Hash, String or SortedSet";
  return "use another sink";
}

}  // namespace

void ValidateUpdates(const StreamingJob& job, Diagnostics* out) {
  const FlowMap flows = ComputeFlows(job);
  for (size_t i = 0; i < job.spec.streams.size(); ++i) {
    const Stream& stream = job.spec.streams[i];
    const auto along = flows.find(stream.name);
    if (along == flows.end() || along->second.size() <= stream.steps.size()) continue;
    for (size_t j = 0; j < stream.steps.size(); ++j) {
      const StepKind& kind = stream.steps[j].kind;
      const auto* join = std::get_if<JoinStep>(&kind);
      const bool updating =
          along->second[j].updating || (join != nullptr && FlowOf(flows, join->with).updating);
      const std::string refusal = updating ? Refusal(kind) : "";
      if (!refusal.empty()) AddError(out, StepPath(i, j) + "." + StepKindName(kind), refusal);
    }
  }
  for (size_t i = 0; i < job.spec.sinks.size(); ++i) {
    const Sink& sink = job.spec.sinks[i];
    if (!FlowOf(flows, sink.from).updating || Replaces(sink)) continue;
    AddError(out, "spec.sinks[" + std::to_string(i) + "]",
             "\"" + sink.from +
                 "\" is an updating stream (rows replace earlier ones), but this sink only adds; " +
                 WayOut(sink) + ", or use emit: Final");
  }
}

}  // namespace millrace::api
