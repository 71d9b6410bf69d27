#include "worker/runtime/cluster/wire_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "worker/exec/exchange_testing.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

// Workers of one process, each with its own network.
struct Cluster {
  explicit Cluster(int workers, size_t window = size_t{1} << 20) {
    for (int slot = 0; slot < workers; ++slot) {
      PeerOptions options;
      options.host = "127.0.0.1";
      options.secret = "job secret";
      options.max_queued_bytes_per_peer = window;
      options.peer_timeout = std::chrono::milliseconds(300);
      networks.push_back(std::move(PeerNetwork::Start(options)).value());
    }
  }
  Generation MakeGeneration(const std::string& name) const {
    Generation generation;
    generation.name = name;
    for (const auto& network : networks) generation.seats.push_back({"", network->address()});
    generation.groups = AssignGroups(8, {}, generation.seats);
    return generation;
  }
  std::unique_ptr<WireExchange> Join(int slot, const std::string& name = "1-aa") {
    return std::make_unique<WireExchange>(MakeGeneration(name), slot,
                                          std::vector<int>{0, -1, -1, -1}, networks[slot].get());
  }
  std::vector<std::unique_ptr<PeerNetwork>> networks;
};

// A chunk from unit 0 of the input for a unit of stage 1 that `slot` does not own.
RemoteChunk ChunkFor(const WireExchange& other, std::string bytes) {
  RemoteChunk chunk{.edge = 0, .target_stage = 1, .bytes = std::move(bytes)};
  while (other.OwnerOf(1, chunk.target_unit) != other.slot()) ++chunk.target_unit;
  return chunk;
}

TextEnds RunCluster(int workers) {
  Cluster cluster(workers);
  std::vector<std::unique_ptr<WireExchange>> exchanges;
  for (int slot = 0; slot < workers; ++slot) exchanges.push_back(cluster.Join(slot));
  TextEnds all;
  for (int64_t batch = 7; batch < 10; ++batch) {
    std::vector<TextEnds> ends(workers);
    {
      std::vector<std::jthread> threads;
      for (int slot = 0; slot < workers; ++slot) {
        threads.emplace_back([&, slot] {
          const std::unique_ptr<ExchangePort> port = exchanges[slot]->Open(batch, {});
          ends[slot] = RunWovenBatch(port.get(), 2);
        });
      }
    }
    all.clear();
    for (TextEnds& end : ends) all.merge(end);
  }
  return all;
}

TEST(WireExchangeTest, SeveralWorkersDeliverWhatOneDelivers) {
  const TextEnds want = RunWovenBatch(nullptr, 1);
  for (const int workers : {1, 2, 3, 5}) EXPECT_EQ(RunCluster(workers), want) << workers;
}

TEST(WireExchangeTest, WorkersThatSendMoreThanTheWindowDoNotWaitForEachOther) {
  Cluster cluster(2, 64 << 10);
  const auto a = cluster.Join(0);
  const auto b = cluster.Join(1);
  const auto a_port = a->Open(1, {});
  const auto b_port = b->Open(1, {});
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a_port->Send(ChunkFor(*b, std::string(30'000, 'a'))).ok());
    ASSERT_TRUE(b_port->Send(ChunkFor(*a, std::string(30'000, 'b'))).ok());
  }
  ASSERT_TRUE(a_port->Finish(1).ok());
  ASSERT_TRUE(b_port->Finish(1).ok());
  const Result<std::vector<RemoteChunk>> chunks = b_port->Receive(1);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  ASSERT_EQ(chunks->size(), 20u);
  EXPECT_EQ((*chunks)[19].bytes, std::string(30'000, 'a'));
}

TEST(WireExchangeTest, KeepsWhatComesEarlyForTheNextBatch) {
  Cluster cluster(2);
  const auto a = cluster.Join(0);
  const auto b = cluster.Join(1);
  const auto early = a->Open(2, {});
  ASSERT_TRUE(early->Send(ChunkFor(*b, "early")).ok());
  ASSERT_TRUE(early->Finish(1).ok());
  {
    const auto a_port = a->Open(1, {});
    const auto b_port = b->Open(1, {});
    ASSERT_TRUE(a_port->Finish(1).ok());
    ASSERT_TRUE(b_port->Receive(1)->empty());
  }
  const auto b_port = b->Open(2, {});
  const Result<std::vector<RemoteChunk>> chunks = b_port->Receive(1);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  EXPECT_EQ(chunks->at(0).bytes, "early");
  EXPECT_EQ(b->dropped_frames(), 0u);
}

TEST(WireExchangeTest, DropsFramesOfOtherGenerations) {
  Cluster cluster(2);
  const auto late = cluster.Join(0, "1-old");
  const auto b = cluster.Join(1, "2-new");
  const auto b_port = b->Open(1, {});
  const auto late_port = late->Open(1, {});
  ASSERT_TRUE(late_port->Send(ChunkFor(*b, "stale")).ok());
  ASSERT_TRUE(late_port->Finish(1).ok());
  while (b->dropped_frames() < 2) std::this_thread::yield();
  const auto a = cluster.Join(0, "2-new");
  const auto a_port = a->Open(1, {});
  ASSERT_TRUE(a_port->Send(ChunkFor(*b, "fresh")).ok());
  ASSERT_TRUE(a_port->Finish(1).ok());
  const Result<std::vector<RemoteChunk>> chunks = b_port->Receive(1);
  ASSERT_TRUE(chunks.ok()) << chunks.status();
  ASSERT_EQ(chunks->size(), 1u);
  EXPECT_EQ(chunks->at(0).bytes, "fresh");
}

TEST(WireExchangeTest, FailsWhenAWorkerIsLost) {
  Cluster cluster(2);
  const auto a = cluster.Join(0);
  const auto b = cluster.Join(1);
  const auto a_port = a->Open(1, {});
  cluster.networks[1].reset();
  ASSERT_TRUE(a_port->Send(ChunkFor(*b, "lost")).ok());
  const Result<std::vector<RemoteChunk>> chunks = a_port->Receive(1);
  EXPECT_EQ(chunks.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(chunks.status().message(), HasSubstr("exchange of batch 1"));
}

TEST(WireExchangeTest, FailsOnAChunkForAnotherWorker) {
  Cluster cluster(2);
  const auto a = cluster.Join(0);
  const auto b = cluster.Join(1);
  const auto b_port = b->Open(1, {});
  // A worker that disagrees about who owns what.
  Generation other = cluster.MakeGeneration("1-aa");
  for (int& owner : other.groups) owner = 1;
  WireExchange confused(other, 0, {0, -1, -1, -1}, cluster.networks[0].get());
  const auto confused_port = confused.Open(1, {});
  RemoteChunk chunk = ChunkFor(*a, "whose?");
  ASSERT_TRUE(confused_port->Send(std::move(chunk)).ok());
  EXPECT_THAT(b_port->Receive(1).status().message(), HasSubstr("does not run"));
}

TEST(WireExchangeTest, AWaitingWorkerHearsStop) {
  Cluster cluster(2);
  const auto a = cluster.Join(0);
  std::stop_source stop;
  const auto port = a->Open(1, stop.get_token());
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(port->Receive(1).status().code(), StatusCode::kAborted);
}

}  // namespace
}  // namespace millrace::worker
