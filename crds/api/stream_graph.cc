#include "crds/api/stream_graph.h"

#include <algorithm>
#include <functional>
#include <set>

namespace millrace::api {
namespace {

// Names that a source has too are the source's: the clash is reported by name.
std::map<std::string, size_t> IndexByName(const StreamingJob& job) {
  std::map<std::string, size_t> index;
  for (size_t i = 0; i < job.spec.streams.size(); ++i) index.emplace(job.spec.streams[i].name, i);
  for (const Source& source : job.spec.sources) index.erase(source.name);
  return index;
}

Flow After(const AggregateStep& step, Flow flow) {
  flow.event_time = IsTimed(step.window) && UsesEventTime(step.time, flow);
  flow.updating = EffectiveEmit(step.window, step.emit) != Emit::kFinal;
  return flow;
}

Flow After(const TopStep& step, Flow flow) {
  flow.event_time = IsTimed(step.window) && UsesEventTime(step.time, flow);
  flow.updating = EffectiveEmit(step.window, step.emit) != Emit::kFinal;
  return flow;
}

Flow After(const JoinStep& step, Flow flow, const FlowMap& flows) {
  const Flow other = FlowOf(flows, step.with);
  flow.known = flow.known && other.known;
  flow.dead_letters = flow.dead_letters || other.dead_letters;
  flow.updating = false;
  return flow;
}

Flow After(const UnionStep& step, Flow flow, const FlowMap& flows) {
  for (const std::string& name : step.streams) {
    const Flow other = FlowOf(flows, name);
    flow.event_time = flow.event_time && other.event_time;
    flow.updating = flow.updating || other.updating;
    flow.dead_letters = flow.dead_letters || other.dead_letters;
    flow.known = flow.known && other.known;
  }
  return flow;
}

Flow AfterStep(const Step& step, const Flow& flow, const FlowMap& flows) {
  if (const auto* aggregate = std::get_if<AggregateStep>(&step.kind))
    return After(*aggregate, flow);
  if (const auto* top = std::get_if<TopStep>(&step.kind)) return After(*top, flow);
  if (const auto* join = std::get_if<JoinStep>(&step.kind)) return After(*join, flow, flows);
  if (const auto* both = std::get_if<UnionStep>(&step.kind)) return After(*both, flow, flows);
  return flow;
}

}  // namespace

std::vector<std::string> InputsOf(const Stream& stream) {
  std::vector<std::string> names{stream.from};
  for (const Step& step : stream.steps) {
    if (const auto* join = std::get_if<JoinStep>(&step.kind)) names.push_back(join->with);
    if (const auto* both = std::get_if<UnionStep>(&step.kind)) {
      names.insert(names.end(), both->streams.begin(), both->streams.end());
    }
  }
  return names;
}

std::vector<size_t> StreamOrder(const StreamingJob& job) {
  const std::map<std::string, size_t> index = IndexByName(job);
  std::vector<size_t> order;
  std::set<size_t> placed;
  bool progress = true;
  while (progress) {
    progress = false;
    for (size_t i = 0; i < job.spec.streams.size(); ++i) {
      if (placed.contains(i)) continue;
      const std::vector<std::string> inputs = InputsOf(job.spec.streams[i]);
      const bool ready = std::all_of(inputs.begin(), inputs.end(), [&](const std::string& name) {
        const auto found = index.find(name);
        return found == index.end() || placed.contains(found->second);
      });
      if (!ready) continue;
      order.push_back(i);
      placed.insert(i);
      progress = true;
    }
  }
  return order;
}

std::vector<std::string> FindCycle(const StreamingJob& job) {
  const std::map<std::string, size_t> index = IndexByName(job);
  const std::vector<size_t> order = StreamOrder(job);
  std::set<size_t> open;
  for (size_t i = 0; i < job.spec.streams.size(); ++i) open.insert(i);
  for (const size_t placed : order) open.erase(placed);
  if (open.empty()) return {};
  // Every open stream has an open input, so going from input to input comes back to a name already
  // seen.
  std::vector<std::string> path;
  size_t at = *open.begin();
  while (std::find(path.begin(), path.end(), job.spec.streams[at].name) == path.end()) {
    path.push_back(job.spec.streams[at].name);
    for (const std::string& name : InputsOf(job.spec.streams[at])) {
      const auto found = index.find(name);
      if (found == index.end() || !open.contains(found->second)) continue;
      at = found->second;
      break;
    }
  }
  const std::string& again = job.spec.streams[at].name;
  path.erase(path.begin(), std::find(path.begin(), path.end(), again));
  path.push_back(again);
  std::reverse(path.begin(), path.end());  // from what is read to who reads it
  return path;
}

FlowMap ComputeFlows(const StreamingJob& job) {
  FlowMap flows;
  flows[kDeadLetters] = {
      Flow{.event_time = false, .updating = false, .dead_letters = true, .known = true}};
  for (const Source& source : job.spec.sources) {
    flows[source.name] = {Flow{.event_time = source.event_time.has_value(),
                               .updating = false,
                               .dead_letters = false,
                               .known = true}};
  }
  for (const size_t i : StreamOrder(job)) {
    const Stream& stream = job.spec.streams[i];
    StreamFlows along{FlowOf(flows, stream.from)};
    for (const Step& step : stream.steps) along.push_back(AfterStep(step, along.back(), flows));
    flows[stream.name] = std::move(along);
  }
  return flows;
}

Flow FlowOf(const FlowMap& flows, const std::string& name) {
  const auto found = flows.find(name);
  return found == flows.end() ? Flow{} : found->second.back();
}

bool IsTimed(const Window& window) {
  return std::holds_alternative<TumblingWindow>(window) ||
         std::holds_alternative<SlidingWindow>(window) ||
         std::holds_alternative<SessionWindow>(window);
}

const char* WindowName(const Window& window) {
  static constexpr const char* kNames[] = {"batch",   "global", "tumbling", "sliding",
                                           "session", "count",  "interval"};
  static_assert(std::size(kNames) == std::variant_size_v<Window>);
  return kNames[window.index()];
}

Emit EffectiveEmit(const Window& window, const std::optional<Emit>& emit) {
  if (emit) return *emit;
  return std::holds_alternative<GlobalWindow>(window) ? Emit::kChanges : Emit::kFinal;
}

bool UsesEventTime(const std::optional<TimeDomain>& time, const Flow& flow) {
  return time ? *time == TimeDomain::kEvent : flow.event_time;
}

std::string StepPath(size_t stream, size_t step) {
  return "spec.streams[" + std::to_string(stream) + "].steps[" + std::to_string(step) + "]";
}

}  // namespace millrace::api
