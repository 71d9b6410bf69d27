#include "worker/exec/executor.h"

#include <gtest/gtest.h>

#include <atomic>

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

// Sends "<unit>" to both units of an edge.
class Sender final : public StageLogic {
 public:
  Status RunUnit(const BatchContext&, int unit, const std::vector<Inbox>&,
                 TaskOutput* output) override {
    if (unit == fail_unit) return InvalidError("unit " + std::to_string(unit));
    for (int target = 0; target < 2; ++target)
      output->Send(0, target, std::make_shared<TextChunk>(std::to_string(unit)));
    output->report().input_records = 1;
    return OkStatus();
  }
  bool HasWork(const BatchContext&, int) const override { return true; }
  int fail_unit = -1;
};

// Joins what arrives and delivers it to end 0.
class Receiver final : public StageLogic {
 public:
  Status RunUnit(const BatchContext&, int, const std::vector<Inbox>& inboxes,
                 TaskOutput* output) override {
    std::string text;
    for (const ChunkRef& chunk : inboxes[0].chunks)
      text += static_cast<const TextChunk&>(*chunk).text() + " ";
    output->Deliver(0, std::make_shared<TextChunk>(text));
    return OkStatus();
  }
  bool HasWork(const BatchContext&, int) const override { return false; }
};

JobGraph MakeGraph(int senders, Sender** sender) {
  JobGraph graph;
  auto logic = std::make_unique<Sender>();
  *sender = logic.get();
  graph.stages.push_back({"read", "", senders, {}, std::move(logic)});
  graph.stages.push_back({"join", "", 2, {0}, std::make_unique<Receiver>()});
  graph.edges.push_back({"", 1});
  graph.ends = 1;
  return graph;
}

TEST(BatchExecutorTest, DeliversInSourceUnitOrderWhateverTheThreads) {
  for (const int threads : {1, 2, 7}) {
    Sender* sender = nullptr;
    JobGraph graph = MakeGraph(12, &sender);
    ThreadPool pool(threads);
    BatchExecutor executor(&graph, &pool);
    BatchRun run = executor.Begin({});
    ASSERT_TRUE(executor.RunStages(0, 2, &run).ok());
    ASSERT_EQ(run.ends[0].size(), 2u);
    EXPECT_EQ(static_cast<const TextChunk&>(*run.ends[0][1].chunks[0]).text(),
              "0 1 2 3 4 5 6 7 8 9 10 11 ");
    EXPECT_EQ(run.stages[0].total.input_records, 12);
  }
}

TEST(BatchExecutorTest, ReturnsTheErrorOfTheLowestUnitAndRunsNoLaterStage) {
  Sender* sender = nullptr;
  JobGraph graph = MakeGraph(4, &sender);
  sender->fail_unit = 2;
  ThreadPool pool(2);
  BatchExecutor executor(&graph, &pool);
  BatchRun run = executor.Begin({});
  EXPECT_EQ(executor.RunStages(0, 2, &run).message(), "unit 2");
  EXPECT_TRUE(run.ends[0].empty());
  EXPECT_EQ(run.ran[0].size(), 4u);
}

TEST(ThreadPoolTest, RunsEveryTaskOnce) {
  ThreadPool pool(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> seen(37);
    pool.ParallelFor(seen.size(), [&](size_t i) { ++seen[i]; });
    for (const std::atomic<int>& count : seen) ASSERT_EQ(count.load(), 1);
  }
}

}  // namespace
}  // namespace millrace::worker
