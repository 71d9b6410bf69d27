#include "worker/exec/exchange.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "worker/exec/executor.h"

namespace millrace::worker {
namespace {

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

Result<ChunkRef> DecodeText(int, std::string_view bytes) {
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
JobGraph MakeGraph() {
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

// What the ports of one batch share.
struct Hub {
  int slots = 1;
  std::mutex mutex;
  std::condition_variable changed;
  std::mt19937 random{20};
  std::map<std::pair<int, int>, std::vector<RemoteChunk>> sent;  // by (slot, stage)
  std::map<int, int> finished;                                   // by stage
};

// Units are dealt out in turn; what arrives is shuffled.
class MemoryPort final : public ExchangePort {
 public:
  MemoryPort(Hub* hub, int slot) : hub_(hub), slot_(slot) {}
  int slot() const override { return slot_; }
  bool Owns(int stage, int unit) const override { return OwnerOf(stage, unit) == slot_; }
  Status Send(RemoteChunk chunk) override {
    std::lock_guard lock(hub_->mutex);
    const int owner = OwnerOf(chunk.target_stage, chunk.target_unit);
    EXPECT_NE(owner, slot_);
    hub_->sent[{owner, chunk.target_stage}].push_back(std::move(chunk));
    return OkStatus();
  }
  Status Finish(int stage) override {
    std::lock_guard lock(hub_->mutex);
    ++hub_->finished[stage];
    hub_->changed.notify_all();
    return OkStatus();
  }
  Result<std::vector<RemoteChunk>> Receive(int stage) override {
    std::unique_lock lock(hub_->mutex);
    hub_->changed.wait(lock, [&] { return hub_->finished[stage] == hub_->slots; });
    std::vector<RemoteChunk> chunks = std::move(hub_->sent[{slot_, stage}]);
    std::shuffle(chunks.begin(), chunks.end(), hub_->random);
    return chunks;
  }

 private:
  int OwnerOf(int stage, int unit) const { return (stage + unit) % hub_->slots; }

  Hub* hub_;
  int slot_;
};

// Runs one worker's part and returns its ends as "stage/unit: texts".
std::map<std::string, std::string> RunWorker(ExchangePort* port, int threads) {
  JobGraph graph = MakeGraph();
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
  std::map<std::string, std::string> ends;
  for (const EndPart& part : run.ends[0]) {
    std::string& text = ends[std::to_string(part.stage) + "/" + std::to_string(part.unit)];
    for (const ChunkRef& chunk : part.chunks) text += static_cast<const TextChunk&>(*chunk).text();
  }
  return ends;
}

std::map<std::string, std::string> RunWorkers(int workers) {
  Hub hub;
  hub.slots = workers;
  std::vector<std::map<std::string, std::string>> ends(workers);
  {
    std::vector<std::jthread> threads;
    for (int slot = 0; slot < workers; ++slot) {
      threads.emplace_back([&, slot] {
        MemoryPort port(&hub, slot);
        ends[slot] = RunWorker(&port, 1 + slot);
      });
    }
  }
  std::map<std::string, std::string> all;
  size_t parts = 0;
  for (auto& end : ends) {
    parts += end.size();
    all.merge(end);
  }
  EXPECT_EQ(parts, all.size()) << "a unit ran twice";
  return all;
}

TEST(ExchangeTest, SeveralWorkersDeliverWhatOneDelivers) {
  const std::map<std::string, std::string> want = RunWorker(nullptr, 1);
  ASSERT_EQ(want.size(), 4u + 4u + 3u + 1u);  // unit 1 of read and of late has no work
  EXPECT_EQ(want.at("3/0"), "late0[refused1 refused2 ]");
  EXPECT_NE(want.at("2/1").find("read4[]y count0[read0[]x read0[]y read2[]x"), std::string::npos);
  for (const int workers : {1, 2, 3, 8}) EXPECT_EQ(RunWorkers(workers), want) << workers;
}

// Owns everything and hands over what the test says.
class ScriptedPort final : public ExchangePort {
 public:
  explicit ScriptedPort(Result<std::vector<RemoteChunk>> arrivals)
      : arrivals_(std::move(arrivals)) {}
  int slot() const override { return 0; }
  bool Owns(int, int) const override { return true; }
  Status Send(RemoteChunk) override { return OkStatus(); }
  Status Finish(int) override { return OkStatus(); }
  Result<std::vector<RemoteChunk>> Receive(int) override { return arrivals_; }

 private:
  Result<std::vector<RemoteChunk>> arrivals_;
};

Status RunWith(Result<std::vector<RemoteChunk>> arrivals) {
  JobGraph graph = MakeGraph();
  ThreadPool pool(2);
  BatchExecutor executor(&graph, &pool, DecodeText);
  ScriptedPort port(std::move(arrivals));
  BatchRun run = executor.Begin({}, &port);
  return executor.RunStages(0, 2, &run);
}

TEST(ExchangeTest, FailsOnChunksThatFitNoUnit) {
  const RemoteChunk good{.edge = 0, .target_stage = 1, .bytes = "a"};
  RemoteChunk wrong_edge = good;
  wrong_edge.edge = 7;
  RemoteChunk wrong_unit = good;
  wrong_unit.target_unit = 4;
  RemoteChunk damaged = good;
  damaged.bytes.clear();
  EXPECT_TRUE(RunWith(std::vector{good}).ok());
  for (const RemoteChunk& bad : {wrong_edge, wrong_unit, damaged}) {
    EXPECT_EQ(RunWith(std::vector{good, bad}).code(), StatusCode::kInternal);
  }
}

TEST(ExchangeTest, ReturnsTheErrorOfALostWorker) {
  EXPECT_EQ(RunWith(UnavailableError("worker 2 is gone")).message(), "worker 2 is gone");
}

}  // namespace
}  // namespace millrace::worker
