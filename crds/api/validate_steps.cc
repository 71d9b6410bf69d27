#include <algorithm>

#include "crds/api/field_reader.h"
#include "crds/api/stream_graph.h"
#include "crds/api/validate.h"

namespace millrace::api {
namespace {

std::vector<std::string> KeysOf(const auto& map) {
  std::vector<std::string> keys;
  for (const auto& entry : map) keys.push_back(entry.first);
  return keys;
}

void CheckJoin(const JoinStep& step, const Stream& stream, const std::string& path,
               Diagnostics* out) {
  if (step.with_key.size() != step.key.size()) {
    AddError(out, path + ".withKey",
             "must have as many fields as key (" + std::to_string(step.key.size()) + "), found " +
                 std::to_string(step.with_key.size()));
  }
  if (step.with == stream.from && !step.with.empty() && step.key == step.with_key &&
      std::holds_alternative<BatchWindow>(step.window)) {
    out->push_back({.path = path + ".with",
                    .message = "joins a stream with itself by the same key",
                    .warning = true});
  }
}

void CheckLookup(const LookupStep& step, const StreamingJob& job, const std::string& path,
                 Diagnostics* out) {
  const auto table = std::find_if(job.spec.tables.begin(), job.spec.tables.end(),
                                  [&](const Table& each) { return each.name == step.table; });
  if (table == job.spec.tables.end()) return;
  for (const auto& entry : step.match) {
    if (std::find(table->key.begin(), table->key.end(), entry.first) != table->key.end()) continue;
    AddError(out, path + ".match." + entry.first,
             "\"" + entry.first + "\" is no key field of the table \"" + table->name + "\"" +
                 SuggestName(entry.first, table->key));
  }
  for (const std::string& key : table->key) {
    if (step.match.contains(key)) continue;
    AddError(out, path + ".match",
             "the key field \"" + key + "\" of the table \"" + table->name + "\" is not matched");
  }
}

void CheckTimeout(const StateStep& step, const std::string& path, Diagnostics* out) {
  if (!step.timeout && step.on_timeout) AddError(out, path + ".onTimeout", "needs a timeout");
  if (!step.timeout && step.time)
    AddError(out, path + ".time", "is the clock of the timeout, and there is none");
  if (!step.on_timeout) return;
  if (step.output.fields.empty()) {
    AddError(out, path + ".onTimeout.fields",
             "needs output.fields with the same fields, so that all records are alike");
    return;
  }
  if (KeysOf(step.on_timeout->fields) == KeysOf(step.output.fields) ||
      step.on_timeout->fields.empty())
    return;
  std::string fields;
  for (const auto& entry : step.output.fields) fields += (fields.empty() ? "" : ", ") + entry.first;
  AddError(out, path + ".onTimeout.fields", "must have the fields of output.fields: " + fields);
}

void CheckState(const StateStep& step, const std::string& path, Diagnostics* out) {
  const std::vector<std::string> names = KeysOf(step.fields);
  for (const auto& entry : step.update) {
    if (step.fields.contains(entry.first)) continue;
    AddError(out, path + ".update." + entry.first,
             "no state field \"" + entry.first + "\"" + SuggestName(entry.first, names));
  }
  for (const auto& [name, field] : step.fields) {
    if (field.init || field.type.empty() || field.type.ends_with('?')) continue;
    AddError(out, path + ".fields." + name,
             "has no init, so it starts as null: give it one, or write the type \"" + field.type +
                 "?\"");
  }
  CheckTimeout(step, path, out);
}

void CheckStep(const StreamingJob& job, const Stream& stream, const Step& step,
               const std::string& path, Diagnostics* out) {
  const bool maps =
      std::holds_alternative<MapStep>(step.kind) || std::holds_alternative<SetStep>(step.kind);
  if (step.on_error == ErrorPolicy::kSetNull && !maps) {
    AddError(out, path + ".onError",
             std::string("SetNull works only in map and set, not in ") + StepKindName(step.kind));
  }
  if (const auto* aggregate = std::get_if<AggregateStep>(&step.kind)) {
    if (aggregate->delete_when && aggregate->latest_by.empty()) {
      AddError(out, path + ".aggregate.deleteWhen",
               "removes the contribution of a latestBy key, and there is no latestBy");
    }
    for (const std::string& key : aggregate->key) {
      if (!aggregate->values.contains(key)) continue;
      AddError(out, path + ".aggregate.values." + key,
               "the name \"" + key + "\" is a key field of the result already");
    }
  }
  if (const auto* join = std::get_if<JoinStep>(&step.kind))
    CheckJoin(*join, stream, path + ".join", out);
  if (const auto* lookup = std::get_if<LookupStep>(&step.kind))
    CheckLookup(*lookup, job, path + ".lookup", out);
  if (const auto* state = std::get_if<StateStep>(&step.kind))
    CheckState(*state, path + ".state", out);
}

}  // namespace

void ValidateSteps(const StreamingJob& job, Diagnostics* out) {
  for (size_t i = 0; i < job.spec.streams.size(); ++i) {
    const Stream& stream = job.spec.streams[i];
    for (size_t j = 0; j < stream.steps.size(); ++j)
      CheckStep(job, stream, stream.steps[j], StepPath(i, j), out);
  }
}

}  // namespace millrace::api
