#pragma once

#include <map>
#include <string>
#include <vector>

#include "crds/api/spec.h"

namespace millrace::api {

inline constexpr const char* kDeadLetters = "deadLetters";

// What a rule needs to know about the records at one point of a stream.
struct Flow {
  bool event_time = false;    // they have event time
  bool updating = false;      // rows replace earlier ones
  bool dead_letters = false;  // they come from deadLetters
  bool known = false;         // false behind an unknown name or a cycle: rules stay silent
};

// Names a stream reads, in order: from, unions, joins.
std::vector<std::string> InputsOf(const Stream& stream);
// Indices of streams so that each comes behind its inputs; streams in or behind a cycle are left
// out.
std::vector<size_t> StreamOrder(const StreamingJob& job);
// The names along the first cycle, its first name repeated at the end; empty when there is none.
std::vector<std::string> FindCycle(const StreamingJob& job);

// The flow in front of every step of a stream, and behind the last one.
using StreamFlows = std::vector<Flow>;
// By stream name, source name and "deadLetters"; sources have one flow.
using FlowMap = std::map<std::string, StreamFlows, std::less<>>;
FlowMap ComputeFlows(const StreamingJob& job);
// The flow that a reader of `name` sees.
Flow FlowOf(const FlowMap& flows, const std::string& name);

// Tumbling, sliding and session windows: their results carry windowStart and windowEnd.
bool IsTimed(const Window& window);
const char* WindowName(const Window& window);
Emit EffectiveEmit(const Window& window, const std::optional<Emit>& emit);

// The clock of a step's windows: as told, else event time where the records have it.
bool UsesEventTime(const std::optional<TimeDomain>& time, const Flow& flow);

std::string StepPath(size_t stream, size_t step);

}  // namespace millrace::api
