#include "worker/plan/stream_order.h"

#include <algorithm>
#include <map>

#include "crds/api/stream_graph.h"
#include "crds/base/text.h"
#include "worker/plan/expression_texts.h"

namespace millrace::worker {
namespace {

std::vector<std::string> StreamsReadBy(const api::StreamingJob& job, const api::Stream& stream) {
  std::vector<std::string> names{stream.from};
  for (const api::Step& step : stream.steps) {
    if (const auto* join = std::get_if<api::JoinStep>(&step.kind)) names.push_back(join->with);
    if (const auto* merged = std::get_if<api::UnionStep>(&step.kind)) {
      names.insert(names.end(), merged->streams.begin(), merged->streams.end());
    }
    for (const api::Table& table : job.spec.tables) {
      const auto* fed = std::get_if<api::StreamTable>(&table.kind);
      if (fed != nullptr && ReadsTable(step.kind, table.name)) names.push_back(fed->from);
    }
  }
  return names;
}

class Sorter {
 public:
  Sorter(const api::StreamingJob& job, api::Diagnostics* diagnostics)
      : job_(job), diagnostics_(diagnostics) {
    for (size_t i = 0; i < job.spec.streams.size(); ++i)
      index_[job.spec.streams[i].name] = static_cast<int>(i);
  }

  std::vector<int> Sort() {
    for (size_t i = 0; i < job_.spec.streams.size(); ++i) Visit(static_cast<int>(i));
    return std::move(order_);
  }

 private:
  enum class Mark { kNew, kOpen, kDone };

  void Visit(int stream) {
    if (marks_[stream] == Mark::kDone) return;
    const std::string& name = job_.spec.streams[stream].name;
    if (marks_[stream] == Mark::kOpen) {
      if (!api::FindCycle(job_).empty()) return;  // reported when the manifest was read
      const auto begin = std::find(trail_.begin(), trail_.end(), name);
      std::vector<std::string> cycle(begin, trail_.end());
      cycle.push_back(name);
      api::AddError(diagnostics_, "spec.streams[" + std::to_string(stream) + "]",
                    "streams read each other in a circle: " + Join(cycle, " -> "));
      return;
    }
    marks_[stream] = Mark::kOpen;
    trail_.push_back(name);
    for (const std::string& read : StreamsReadBy(job_, job_.spec.streams[stream])) {
      if (const auto it = index_.find(read); it != index_.end()) Visit(it->second);
    }
    trail_.pop_back();
    marks_[stream] = Mark::kDone;
    order_.push_back(stream);
  }

  const api::StreamingJob& job_;
  api::Diagnostics* diagnostics_;
  std::map<std::string, int> index_;
  std::map<int, Mark> marks_;
  std::vector<std::string> trail_;
  std::vector<int> order_;
};

}  // namespace

std::vector<int> OrderStreams(const api::StreamingJob& job, api::Diagnostics* diagnostics) {
  return Sorter(job, diagnostics).Sort();
}

}  // namespace millrace::worker
