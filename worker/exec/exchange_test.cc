#include "worker/exec/exchange.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "worker/exec/exchange_testing.h"

namespace millrace::worker {
namespace {

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

TextEnds RunWorkers(int workers) {
  Hub hub;
  hub.slots = workers;
  std::vector<TextEnds> ends(workers);
  {
    std::vector<std::jthread> threads;
    for (int slot = 0; slot < workers; ++slot) {
      threads.emplace_back([&, slot] {
        MemoryPort port(&hub, slot);
        ends[slot] = RunWovenBatch(&port, 1 + slot);
      });
    }
  }
  TextEnds all;
  size_t parts = 0;
  for (auto& end : ends) {
    parts += end.size();
    all.merge(end);
  }
  EXPECT_EQ(parts, all.size()) << "a unit ran twice";
  return all;
}

TEST(ExchangeTest, SeveralWorkersDeliverWhatOneDelivers) {
  const TextEnds want = RunWovenBatch(nullptr, 1);
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
  JobGraph graph = MakeWovenGraph();
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
