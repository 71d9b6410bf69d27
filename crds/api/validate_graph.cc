#include <algorithm>
#include <set>

#include "crds/api/field_reader.h"
#include "crds/api/stream_graph.h"
#include "crds/api/validate.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

template <typename T>
std::vector<std::string> NamesOf(const std::vector<T>& items) {
  std::vector<std::string> names;
  for (const T& item : items) names.push_back(item.name);
  return names;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Resolves references and notes which names are read.
class References {
 public:
  References(const StreamingJob& job, Diagnostics* out)
      : streams_(NamesOf(job.spec.streams)), tables_(NamesOf(job.spec.tables)), out_(out) {
    readable_ = NamesOf(job.spec.sources);
    readable_.insert(readable_.end(), streams_.begin(), streams_.end());
    readable_.emplace_back(kDeadLetters);
  }

  void ToStream(const std::string& name, const std::string& path) {
    if (name.empty()) return;
    read_.insert(name);
    if (Contains(readable_, name)) return;
    if (Contains(tables_, name)) {
      AddError(out_, path,
               "\"" + name +
                   "\" is a table, not a stream; read it with a lookup step or as tables." + name);
      return;
    }
    AddError(out_, path,
             "no source or stream \"" + Excerpt(name) + "\"" + SuggestName(name, readable_));
  }

  void ToTable(const std::string& name, const std::string& path) {
    if (name.empty() || Contains(tables_, name)) return;
    if (Contains(readable_, name)) {
      AddError(
          out_, path,
          "\"" + name +
              "\" is no table; give it one with tables: [{name: ..., key: [...], stream: {from: " +
              name + "}}]");
      return;
    }
    AddError(out_, path, "no table \"" + Excerpt(name) + "\"" + SuggestName(name, tables_));
  }

  bool IsRead(const std::string& name) const { return read_.contains(name); }

 private:
  std::vector<std::string> streams_, tables_, readable_;
  std::set<std::string> read_;
  Diagnostics* out_;
};

void ResolveSteps(const Stream& stream, size_t index, References* references) {
  for (size_t i = 0; i < stream.steps.size(); ++i) {
    const std::string path = StepPath(index, i);
    const StepKind& kind = stream.steps[i].kind;
    if (const auto* join = std::get_if<JoinStep>(&kind))
      references->ToStream(join->with, path + ".join.with");
    if (const auto* lookup = std::get_if<LookupStep>(&kind))
      references->ToTable(lookup->table, path + ".lookup.table");
    if (const auto* state = std::get_if<StateStep>(&kind); state != nullptr && state->initial) {
      references->ToTable(*state->initial, path + ".state.initial");
    }
    if (const auto* both = std::get_if<UnionStep>(&kind)) {
      for (size_t j = 0; j < both->streams.size(); ++j) {
        references->ToStream(both->streams[j], path + ".union[" + std::to_string(j) + "]");
      }
    }
  }
}

void ResolveModels(const StreamingJob& job, References* references) {
  const auto resolve = [&](const TrainedModel& model, size_t i, const char* kind) {
    references->ToStream(model.from, "spec.models[" + std::to_string(i) + "]." + kind + ".from");
  };
  for (size_t i = 0; i < job.spec.models.size(); ++i) {
    const ModelKind& kind = job.spec.models[i].kind;
    if (const auto* model = std::get_if<LinearRegressionModel>(&kind))
      resolve(*model, i, "linearRegression");
    if (const auto* model = std::get_if<LogisticRegressionModel>(&kind))
      resolve(*model, i, "logisticRegression");
    if (const auto* model = std::get_if<KMeansModel>(&kind)) resolve(*model, i, "kMeans");
  }
}

void Resolve(const StreamingJob& job, References* references) {
  const StreamingJobSpec& spec = job.spec;
  for (size_t i = 0; i < spec.streams.size(); ++i) {
    references->ToStream(spec.streams[i].from, "spec.streams[" + std::to_string(i) + "].from");
    ResolveSteps(spec.streams[i], i, references);
  }
  for (size_t i = 0; i < spec.tables.size(); ++i) {
    if (const auto* table = std::get_if<StreamTable>(&spec.tables[i].kind)) {
      references->ToStream(table->from, "spec.tables[" + std::to_string(i) + "].stream.from");
    }
  }
  ResolveModels(job, references);
  for (size_t i = 0; i < spec.sinks.size(); ++i) {
    references->ToStream(spec.sinks[i].from, "spec.sinks[" + std::to_string(i) + "].from");
  }
}

template <typename T>
void WarnUnread(const std::vector<T>& items, const std::string& list, const std::string& thing,
                const References& references, Diagnostics* out) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].name.empty() || references.IsRead(items[i].name)) continue;
    out->push_back(
        {.path = "spec." + list + "[" + std::to_string(i) + "]",
         .message = "nothing reads the " + thing + " \"" + items[i].name + "\"; it does no work",
         .warning = true});
  }
}

void RefuseCycle(const StreamingJob& job, Diagnostics* out) {
  const std::vector<std::string> cycle = FindCycle(job);
  if (cycle.empty()) return;
  const std::vector<std::string> names = NamesOf(job.spec.streams);
  const auto at = std::find(names.begin(), names.end(), cycle.front()) - names.begin();
  const std::string path = "spec.streams[" + std::to_string(at) + "]";
  if (cycle.size() == 2) {
    AddError(out, path,
             "the stream \"" + cycle.front() +
                 "\" reads itself; keep what was before in a state step or a stream table");
    return;
  }
  AddError(out, path,
           "streams read each other in a circle: " + Join(cycle, " -> ") +
               "; break it with a stream table");
}

}  // namespace

void ValidateGraph(const StreamingJob& job, Diagnostics* out) {
  References references(job, out);
  Resolve(job, &references);
  RefuseCycle(job, out);
  WarnUnread(job.spec.sources, "sources", "source", references, out);
  WarnUnread(job.spec.streams, "streams", "stream", references, out);
}

}  // namespace millrace::api
