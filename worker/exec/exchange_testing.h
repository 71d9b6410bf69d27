#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/exec/executor.h"

// A small graph with exchanges, for tests of what carries chunks between workers.
namespace millrace::worker {

class TextChunk final : public Chunk {
 public:
  explicit TextChunk(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }
  size_t num_rows() const override { return 1; }
  size_t num_bytes() const override { return text_.size(); }
  void Encode(std::string* out) const override { *out += text_; }

 private:
  std::string text_;
};

inline Result<ChunkRef> DecodeText(int, std::string_view bytes) {
  if (bytes.empty()) return InternalError("empty chunk");
  return ChunkRef(std::make_shared<TextChunk>(std::string(bytes)));
}

// Joins what arrives into "<stage><unit>[...]"; sends it to every unit of its edges, two chunks
// each, and delivers it to end 0.
class Weaver final : public StageLogic {
 public:
  Weaver(std::string name, std::vector<std::pair<int, int>> targets, bool idle_work)
      : name_(std::move(name)), targets_(std::move(targets)), idle_work_(idle_work) {}
  Status RunUnit(const BatchContext&, int unit, const std::vector<Inbox>& inboxes,
                 TaskOutput* output) override {
    std::string text = name_ + std::to_string(unit) + "[";
    for (const Inbox& inbox : inboxes) {
      for (const ChunkRef& chunk : inbox.chunks)
        text += static_cast<const TextChunk&>(*chunk).text() + " ";
    }
    text += "]";
    for (const char part : {'x', 'y'}) {
      for (const auto& [edge, units] : targets_) {
        for (int target = 0; target < units; ++target) {
          output->Send(edge, target, std::make_shared<TextChunk>(text + part));
        }
      }
    }
    output->Deliver(0, std::make_shared<TextChunk>(text));
    return OkStatus();
  }
  bool HasWork(const BatchContext&, int unit) const override { return idle_work_ && unit != 1; }

 private:
  std::string name_;
  std::vector<std::pair<int, int>> targets_;
  bool idle_work_;
};

// read(5) -edge 0-> count(4) -edge 1-> join(3); read sends over edge 1 as well. late(2) has work
// though nothing is sent to it but what SendOutsideTasks adds.
inline JobGraph MakeWovenGraph() {
  using Targets = std::vector<std::pair<int, int>>;
  JobGraph graph;
  const auto add = [&](std::string id, int units, std::vector<int> edges, Targets targets,
                       bool work) {
    graph.stages.push_back(
        {id, "", units, std::move(edges), std::make_unique<Weaver>(id, std::move(targets), work)});
  };
  add("read", 5, {}, {{0, 4}, {1, 3}}, true);
  add("count", 4, {0}, {{1, 3}}, false);
  add("join", 3, {1}, {}, false);
  add("late", 2, {2}, {}, true);
  graph.edges = {{"", 1}, {"", 2}, {"", 3}};
  graph.ends = 1;
  return graph;
}

using TextEnds = std::map<std::string, std::string>;

// Runs one worker's part and returns its ends as "stage/unit: texts".
inline TextEnds RunWovenBatch(ExchangePort* port, int threads) {
  JobGraph graph = MakeWovenGraph();
  ThreadPool pool(threads);
  BatchExecutor executor(&graph, &pool, DecodeText);
  BatchRun run = executor.Begin({}, port);
  EXPECT_TRUE(executor.RunStages(0, 3, &run).ok());
  if (port == nullptr || port->slot() == 0) {
    for (const char* text : {"refused1", "refused2"}) {
      EXPECT_TRUE(SendOutsideTasks(graph, 2, 0, std::make_shared<TextChunk>(text), &run).ok());
    }
  }
  EXPECT_TRUE(executor.RunStages(3, 4, &run).ok());
  TextEnds ends;
  for (const EndPart& part : run.ends[0]) {
    std::string& text = ends[std::to_string(part.stage) + "/" + std::to_string(part.unit)];
    for (const ChunkRef& chunk : part.chunks) text += static_cast<const TextChunk&>(*chunk).text();
  }
  return ends;
}

}  // namespace millrace::worker
