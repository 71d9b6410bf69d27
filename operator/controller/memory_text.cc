#include "operator/controller/memory_text.h"

#include <simdjson.h>

#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace::controller {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::element;

constexpr int64_t kVersion = 1;

void WriteTime(std::string_view key, const std::optional<TimePoint>& time, JsonWriter* out) {
  if (!time) return;
  out->Key(key);
  out->String(FormatRfc3339(*time));
}

void WriteInt(std::string_view key, const std::optional<int64_t>& value, JsonWriter* out) {
  if (!value) return;
  out->Key(key);
  out->Int(*value);
}

void WriteText(std::string_view key, const std::string& value, JsonWriter* out) {
  if (value.empty()) return;
  out->Key(key);
  out->String(value);
}

void WriteScaling(const ScalingRecord& scaling, JsonWriter* out) {
  if (scaling == ScalingRecord()) return;
  out->Key("scaling");
  out->BeginObject();
  WriteInt("workers", scaling.workers, out);
  WriteTime("lastWindow", scaling.last_window, out);
  out->Key("needs");
  out->BeginArray();
  for (const Need& need : scaling.needs) {
    out->BeginArray();
    out->String(FormatRfc3339(need.time));
    out->Int(need.workers);
    out->EndArray();
  }
  out->EndArray();
  WriteText("reason", scaling.reason, out);
  out->EndObject();
}

void WriteRollout(const RolloutRecord& rollout, JsonWriter* out) {
  if (rollout == RolloutRecord()) return;
  out->Key("rollout");
  out->BeginObject();
  WriteText("revision", rollout.revision, out);
  WriteInt("number", rollout.number, out);
  WriteTime("since", rollout.since, out);
  WriteText("good", rollout.good, out);
  WriteText("refused", rollout.refused, out);
  out->Key("history");
  out->BeginArray();
  for (const std::string& revision : rollout.history) out->String(revision);
  out->EndArray();
  out->EndObject();
}

void WriteRestarts(const RestartRecord& restarts, JsonWriter* out) {
  if (restarts == RestartRecord()) return;
  out->Key("restarts");
  out->BeginObject();
  WriteInt("count", restarts.count, out);
  WriteInt("seen", restarts.seen, out);
  WriteTime("last", restarts.last, out);
  WriteInt("gaveUp", restarts.gave_up, out);
  out->EndObject();
}

std::string TextOf(simdjson::simdjson_result<element> from) {
  std::string_view text;
  return from.get(text) == SUCCESS ? std::string(text) : "";
}

std::optional<int64_t> IntOf(simdjson::simdjson_result<element> from) {
  int64_t value = 0;
  if (from.get(value) != SUCCESS) return std::nullopt;
  return value;
}

std::optional<TimePoint> TimeOf(simdjson::simdjson_result<element> from) {
  const Result<TimePoint> time = ParseRfc3339(TextOf(from));
  return time.ok() ? std::optional(*time) : std::nullopt;
}

ScalingRecord ReadScaling(const element& root) {
  ScalingRecord scaling;
  const auto from = root["scaling"];
  scaling.workers = IntOf(from["workers"]);
  scaling.last_window = TimeOf(from["lastWindow"]);
  scaling.reason = TextOf(from["reason"]);
  simdjson::dom::array needs;
  if (from["needs"].get(needs) != SUCCESS) return scaling;
  for (const element need : needs) {
    const auto time = TimeOf(need.at(0));
    const auto workers = IntOf(need.at(1));
    if (time && workers && scaling.needs.size() < ScalingRecord::kMaxNeeds)
      scaling.needs.push_back({*time, *workers});
  }
  return scaling;
}

RolloutRecord ReadRollout(const element& root) {
  const auto from = root["rollout"];
  RolloutRecord rollout;
  rollout.revision = TextOf(from["revision"]);
  rollout.number = IntOf(from["number"]).value_or(0);
  rollout.since = TimeOf(from["since"]);
  rollout.good = TextOf(from["good"]);
  rollout.refused = TextOf(from["refused"]);
  simdjson::dom::array history;
  if (from["history"].get(history) != SUCCESS) return rollout;
  for (const element revision : history) {
    std::string_view name;
    if (revision.get(name) == SUCCESS && rollout.history.size() < RolloutRecord::kMaxHistory)
      rollout.history.emplace_back(name);
  }
  return rollout;
}

RestartRecord ReadRestarts(const element& root) {
  const auto from = root["restarts"];
  return {.count = IntOf(from["count"]).value_or(0),
          .seen = IntOf(from["seen"]).value_or(0),
          .last = TimeOf(from["last"]),
          .gave_up = IntOf(from["gaveUp"])};
}

}  // namespace

std::string WriteMemory(const Memory& memory) {
  JsonWriter out;
  out.BeginObject();
  WriteInt("v", kVersion, &out);
  out.Key("applied");
  out.BeginObject();
  for (const auto& [field, digest] : memory.applied) {
    out.Key(field);
    out.String(digest);
  }
  out.EndObject();
  WriteInt("announced", memory.announced_generation, &out);
  WriteTime("completedAt", memory.completed_at, &out);
  WriteText("completedRevision", memory.completed_revision, &out);
  WriteScaling(memory.scaling, &out);
  WriteRollout(memory.rollout, &out);
  WriteRestarts(memory.restarts, &out);
  out.EndObject();
  return out.Take();
}

Memory ReadMemory(const std::string& text) {
  simdjson::dom::parser parser;
  element root;
  Memory memory;
  if (parser.parse(text).get(root) != SUCCESS || IntOf(root["v"]) != kVersion) return memory;
  simdjson::dom::object applied;
  if (root["applied"].get(applied) == SUCCESS) {
    for (const auto [field, digest] : applied) {
      std::string_view value;
      if (digest.get(value) == SUCCESS) memory.applied.emplace(field, value);
    }
  }
  memory.announced_generation = IntOf(root["announced"]);
  memory.completed_at = TimeOf(root["completedAt"]);
  memory.completed_revision = TextOf(root["completedRevision"]);
  memory.scaling = ReadScaling(root);
  memory.rollout = ReadRollout(root);
  memory.restarts = ReadRestarts(root);
  return memory;
}

}  // namespace millrace::controller
