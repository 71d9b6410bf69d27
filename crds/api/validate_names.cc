#include <algorithm>
#include <map>
#include <set>

#include "crds/api/stream_graph.h"
#include "crds/api/validate.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

// Names given so far, with the path of each.
class Namespace {
 public:
  explicit Namespace(Diagnostics* out) : out_(out) {}

  void Add(const std::string& name, const std::string& path) {
    if (name.empty()) return;
    if (name == kDeadLetters) {
      AddError(out_, path + ".name",
               "\"deadLetters\" is the built-in stream of refused records; choose another name");
      return;
    }
    const auto [first, added] = paths_.emplace(name, path);
    if (!added)
      AddError(out_, path + ".name", "the name \"" + name + "\" is taken by " + first->second);
  }

 private:
  Diagnostics* out_;
  std::map<std::string, std::string> paths_;
};

template <typename T>
void AddAll(const std::vector<T>& items, const std::string& list, Namespace* names) {
  for (size_t i = 0; i < items.size(); ++i)
    names->Add(items[i].name, "spec." + list + "[" + std::to_string(i) + "]");
}

bool IsStateful(const StepKind& kind) {
  return std::holds_alternative<AggregateStep>(kind) || std::holds_alternative<TopStep>(kind) ||
         std::holds_alternative<JoinStep>(kind) || std::holds_alternative<DedupStep>(kind) ||
         std::holds_alternative<StateStep>(kind);
}

void CheckSteps(const Stream& stream, size_t index, const SourceMap& positions, Diagnostics* out) {
  std::map<std::string, size_t> first;
  for (size_t i = 0; i < stream.steps.size(); ++i) {
    const Step& step = stream.steps[i];
    const std::string path = StepPath(index, i);
    const bool given = positions.contains(path + ".name");
    if (!given && !IsStateful(step.kind)) continue;
    const auto [earlier, added] = first.emplace(step.name, i);
    if (added) continue;
    const std::string other = "steps[" + std::to_string(earlier->second) + "]";
    if (given) {
      AddError(out, path + ".name", "the name \"" + step.name + "\" is taken by " + other);
    } else {
      AddError(out, path,
               std::string("a second ") + StepKindName(step.kind) +
                   " in this stream needs a name, since " + other + " is called \"" + step.name +
                   "\"; add name: ...");
    }
  }
}

}  // namespace

void ValidateNames(const StreamingJob& job, const SourceMap& positions, Diagnostics* out) {
  const StreamingJobSpec& spec = job.spec;
  Namespace shared(out);
  AddAll(spec.sources, "sources", &shared);
  AddAll(spec.streams, "streams", &shared);
  AddAll(spec.tables, "tables", &shared);
  Namespace sinks(out);
  AddAll(spec.sinks, "sinks", &sinks);
  Namespace models(out);
  AddAll(spec.models, "models", &models);
  for (size_t i = 0; i < spec.streams.size(); ++i) CheckSteps(spec.streams[i], i, positions, out);
}

}  // namespace millrace::api
