#include <algorithm>
#include <span>

#include "crds/api/stream_graph.h"
#include "crds/api/validate.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

// Everything the rules of one window need.
struct WindowUse {
  const Window& window;
  std::string path;  // of the step's kind
  Duration batch_interval;
  bool event = false;  // runs on event time
};

void CheckProcessingLength(const WindowUse& use, const std::string& member, Duration length,
                           Diagnostics* out) {
  if (use.event || use.batch_interval <= Duration(0) || length <= Duration(0)) return;
  if (length % use.batch_interval == Duration(0)) return;
  AddError(out, use.path + ".window." + member,
           "in processing time a length must be a multiple of batchInterval (" +
               FormatDuration(use.batch_interval) + "), found " + FormatDuration(length));
}

void CheckLengths(const WindowUse& use, Diagnostics* out) {
  const std::string window = use.path + ".window.";
  if (const auto* tumbling = std::get_if<TumblingWindow>(&use.window)) {
    CheckProcessingLength(use, "tumbling.length", tumbling->length, out);
    CheckProcessingLength(use, "tumbling.offset", tumbling->offset, out);
    if (tumbling->length > Duration(0) && tumbling->offset >= tumbling->length) {
      AddError(out, window + "tumbling.offset",
               "must be less than the length (" + FormatDuration(tumbling->length) + "), found " +
                   FormatDuration(tumbling->offset));
    }
  }
  if (const auto* sliding = std::get_if<SlidingWindow>(&use.window)) {
    CheckProcessingLength(use, "sliding.length", sliding->length, out);
    CheckProcessingLength(use, "sliding.slide", sliding->slide, out);
    if (sliding->length > Duration(0) && sliding->slide > sliding->length) {
      AddError(out, window + "sliding.slide",
               "must not exceed the length (" + FormatDuration(sliding->length) + "), found " +
                   FormatDuration(sliding->slide));
    }
  }
  if (const auto* session = std::get_if<SessionWindow>(&use.window)) {
    if (session->gap > session->max_length) {
      AddError(out, window + "session.gap",
               "must not exceed maxLength (" + FormatDuration(session->max_length) + "), found " +
                   FormatDuration(session->gap));
    }
  }
  if (const auto* count = std::get_if<CountWindow>(&use.window);
      count != nullptr && count->slide && *count->slide > count->length) {
    AddError(out, window + "count.slide",
             "must not exceed the length (" + std::to_string(count->length) + "), found " +
                 std::to_string(*count->slide));
  }
}

void CheckAllowed(const WindowUse& use, const std::string& step,
                  std::span<const std::string> allowed, Diagnostics* out) {
  const std::string name = WindowName(use.window);
  if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) return;
  AddError(out, use.path + ".window",
           step + " takes no " + name + " window; it takes " + Join(allowed, ", "));
}

bool HasNoClock(const Window& window) {
  return std::holds_alternative<BatchWindow>(window) || std::holds_alternative<CountWindow>(window);
}

void CheckTime(const WindowUse& use, const std::optional<TimeDomain>& time, bool has_event_time,
               Diagnostics* out) {
  if (!time) return;
  if (HasNoClock(use.window)) {
    AddError(out, use.path + ".time",
             std::string("has no meaning with a ") + WindowName(use.window) + " window; remove it");
  } else if (*time == TimeDomain::kEvent && !has_event_time) {
    AddError(out, use.path + ".time",
             "the records have no event time here; give their source an eventTime, or use time: "
             "Processing");
  }
}

void CheckEmit(const WindowUse& use, const std::optional<Emit>& emit, OnLate on_late,
               Diagnostics* out) {
  const bool global = std::holds_alternative<GlobalWindow>(use.window);
  const bool untimed = HasNoClock(use.window);
  if (emit == Emit::kFinal && global) {
    AddError(out, use.path + ".emit",
             "a global window never closes, so nothing would be Final; use Changes or All");
  }
  if (on_late == OnLate::kDeadLetter && (global || untimed)) {
    AddError(
        out, use.path + ".onLate",
        std::string("no record is late for a ") + WindowName(use.window) + " window; remove it");
  }
}

const std::vector<std::string> kAggregateWindows{"batch",   "global",  "tumbling",
                                                 "sliding", "session", "count"};
const std::vector<std::string> kTopWindows{"batch", "global", "tumbling", "sliding"};
const std::vector<std::string> kJoinWindows{"batch", "global", "tumbling", "interval"};

void CheckJoin(const JoinStep& step, const WindowUse& use, bool both_have_event_time,
               Diagnostics* out) {
  CheckAllowed(use, "join", kJoinWindows, out);
  CheckTime(use, step.time, both_have_event_time, out);
  CheckLengths(use, out);
  if (const auto* interval = std::get_if<IntervalWindow>(&step.window)) {
    CheckProcessingLength(use, "interval.before", interval->before, out);
    CheckProcessingLength(use, "interval.after", interval->after, out);
  }
  if (std::holds_alternative<GlobalWindow>(step.window) && step.type != JoinStep::Type::kInner) {
    AddError(out, use.path + ".type",
             "an outer join needs a window that closes, so that a record is known to have no "
             "partner; with global only Inner works");
  }
}

void CheckStep(const StreamingJob& job, const Step& step, const std::string& path, const Flow& flow,
               const FlowMap& flows, Diagnostics* out) {
  const Duration batch = job.spec.batch_interval;
  const auto event = [&](const std::optional<TimeDomain>& time, bool has) {
    return time ? *time == TimeDomain::kEvent : has || !flow.known;
  };
  if (const auto* aggregate = std::get_if<AggregateStep>(&step.kind)) {
    const WindowUse use{.window = aggregate->window,
                        .path = path + ".aggregate",
                        .batch_interval = batch,
                        .event = event(aggregate->time, flow.event_time)};
    CheckAllowed(use, "aggregate", kAggregateWindows, out);
    CheckTime(use, aggregate->time, flow.event_time || !flow.known, out);
    CheckEmit(use, aggregate->emit, aggregate->on_late, out);
    CheckLengths(use, out);
  }
  if (const auto* top = std::get_if<TopStep>(&step.kind)) {
    const WindowUse use{.window = top->window,
                        .path = path + ".top",
                        .batch_interval = batch,
                        .event = event(top->time, flow.event_time)};
    CheckAllowed(use, "top", kTopWindows, out);
    CheckTime(use, top->time, flow.event_time || !flow.known, out);
    CheckEmit(use, top->emit, top->on_late, out);
    CheckLengths(use, out);
  }
  if (const auto* join = std::get_if<JoinStep>(&step.kind)) {
    const Flow other = FlowOf(flows, join->with);
    const bool both = !flow.known || !other.known || (flow.event_time && other.event_time);
    CheckJoin(*join,
              {.window = join->window,
               .path = path + ".join",
               .batch_interval = batch,
               .event = event(join->time, both)},
              both, out);
  }
  const std::optional<TimeDomain> dedup_time = std::holds_alternative<DedupStep>(step.kind)
                                                   ? std::get<DedupStep>(step.kind).time
                                                   : std::nullopt;
  const std::optional<TimeDomain> state_time = std::holds_alternative<StateStep>(step.kind)
                                                   ? std::get<StateStep>(step.kind).time
                                                   : std::nullopt;
  if ((dedup_time == TimeDomain::kEvent || state_time == TimeDomain::kEvent) && !flow.event_time &&
      flow.known) {
    AddError(out, path + "." + StepKindName(step.kind) + ".time",
             "the records have no event time here; give their source an eventTime, or use time: "
             "Processing");
  }
}

}  // namespace

void ValidateWindows(const StreamingJob& job, Diagnostics* out) {
  const FlowMap flows = ComputeFlows(job);
  for (size_t i = 0; i < job.spec.streams.size(); ++i) {
    const Stream& stream = job.spec.streams[i];
    const auto along = flows.find(stream.name);
    for (size_t j = 0; j < stream.steps.size(); ++j) {
      const bool found = along != flows.end() && j < along->second.size();
      CheckStep(job, stream.steps[j], StepPath(i, j), found ? along->second[j] : Flow{}, flows,
                out);
    }
  }
}

}  // namespace millrace::api
