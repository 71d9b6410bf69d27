#include <algorithm>

#include "crds/api/stream_graph.h"
#include "crds/api/validate.h"

namespace millrace::api {
namespace {

// Steps whose expressions can fail on a record.
bool HasExpressions(const StepKind& kind) {
  return std::holds_alternative<MapStep>(kind) || std::holds_alternative<SetStep>(kind) ||
         std::holds_alternative<FlatMapStep>(kind) || std::holds_alternative<FilterStep>(kind) ||
         std::holds_alternative<AggregateStep>(kind) || std::holds_alternative<TopStep>(kind) ||
         std::holds_alternative<LookupStep>(kind) || std::holds_alternative<StateStep>(kind);
}

// For other than timed windows no record is late, which is an error of its own.
bool SendsLateOnes(const StepKind& kind) {
  const auto sends = [](const auto* step) {
    return step != nullptr && step->on_late == OnLate::kDeadLetter && IsTimed(step->window);
  };
  return sends(std::get_if<AggregateStep>(&kind)) || sends(std::get_if<TopStep>(&kind));
}

// One place that sends records to deadLetters, or would send its own back.
struct Sender {
  std::string path;
  bool reads_dead_letters = false;
};

std::vector<Sender> FindSenders(const StreamingJob& job, const FlowMap& flows) {
  const StreamingJobSpec& spec = job.spec;
  std::vector<Sender> senders;
  const auto add = [&](const std::optional<ErrorPolicy>& policy, const std::string& path,
                       bool reads) {
    if (policy.value_or(spec.on_error) != ErrorPolicy::kDeadLetter) return;
    senders.push_back({.path = policy ? path + ".onError" : path, .reads_dead_letters = reads});
  };
  for (size_t i = 0; i < spec.sources.size(); ++i) {
    add(spec.sources[i].on_error, "spec.sources[" + std::to_string(i) + "]", false);
  }
  for (size_t i = 0; i < spec.streams.size(); ++i) {
    const auto along = flows.find(spec.streams[i].name);
    for (size_t j = 0; j < spec.streams[i].steps.size(); ++j) {
      const Step& step = spec.streams[i].steps[j];
      const bool reads =
          along != flows.end() && j < along->second.size() && along->second[j].dead_letters;
      if (HasExpressions(step.kind) || step.on_error) add(step.on_error, StepPath(i, j), reads);
      if (SendsLateOnes(step.kind)) {
        senders.push_back({.path = StepPath(i, j) + "." + StepKindName(step.kind) + ".onLate",
                           .reads_dead_letters = reads});
      }
    }
  }
  for (size_t i = 0; i < spec.sinks.size(); ++i) {
    add(spec.sinks[i].on_error, "spec.sinks[" + std::to_string(i) + "]",
        FlowOf(flows, spec.sinks[i].from).dead_letters);
  }
  if (spec.poison_batch.action == PoisonBatch::Action::kBisect)
    senders.push_back({.path = "spec.poisonBatch.action"});
  return senders;
}

}  // namespace

void ValidateDeadLetters(const StreamingJob& job, Diagnostics* out) {
  const FlowMap flows = ComputeFlows(job);
  const std::vector<Sender> senders = FindSenders(job, flows);
  const bool written =
      std::any_of(job.spec.sinks.begin(), job.spec.sinks.end(),
                  [&](const Sink& sink) { return FlowOf(flows, sink.from).dead_letters; });
  for (const Sender& sender : senders) {
    if (!sender.reads_dead_letters) continue;
    AddError(out, sender.path,
             "reads deadLetters, so its own failures cannot go there too; set onError: Fail or "
             "onError: Skip");
  }
  if (senders.empty() || written) return;
  const bool general = job.spec.on_error == ErrorPolicy::kDeadLetter;
  AddError(out, general ? "spec.onError" : senders.front().path,
           "records go to deadLetters, but no sink writes them; add a sink with from: deadLetters");
}

}  // namespace millrace::api
