#include "worker/client/peer/peer_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace millrace::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

MonotonicTime In(Duration duration) { return SystemClock().Monotonic() + duration; }

PeerOptions Options(const std::string& secret = "job secret") {
  PeerOptions options;
  options.host = "127.0.0.1";
  options.secret = secret;
  options.max_queued_bytes_per_peer = size_t{1} << 20;
  return options;
}

std::unique_ptr<PeerNetwork> Start(const PeerOptions& options = Options()) {
  Result<std::unique_ptr<PeerNetwork>> network = PeerNetwork::Start(options);
  EXPECT_TRUE(network.ok()) << network.status();
  return std::move(network).value();
}

int PortOf(const PeerNetwork& network) {
  return std::stoi(network.address().substr(network.address().rfind(':') + 1));
}

std::string Data(PeerNetwork* network, int stream = 0) {
  const std::optional<PeerFrame> frame = network->ReceiveData(stream, In(seconds(20)), {});
  return frame ? std::string(frame->bytes.view()) : "nothing";
}

class PeerSecurityTest : public ::testing::TestWithParam<bool> {
 protected:
  static PeerOptions Encrypting(const std::string& secret = "job secret") {
    PeerOptions options = Options(secret);
    options.encrypt = GetParam();
    return options;
  }
};
INSTANTIATE_TEST_SUITE_P(Plain, PeerSecurityTest, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Curve, PeerSecurityTest, ::testing::Values(true));

TEST_P(PeerSecurityTest, CarriesMessagesAndStreamsWithTheirSender) {
  const auto a = Start(Encrypting());
  const auto b = Start(Encrypting());
  ASSERT_TRUE(a->SendControl(b->address(), "hello").ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(a->SendData(b->address(), i % 2, std::to_string(i), {}).ok());
  }
  const std::optional<PeerFrame> message = b->ReceiveControl(In(seconds(20)), {});
  ASSERT_TRUE(message);
  EXPECT_EQ(message->bytes.view(), "hello");
  EXPECT_EQ(message->from, a->address());
  EXPECT_EQ(message->process, a->process());
  for (int i = 0; i < 100; ++i) ASSERT_EQ(Data(b.get(), i % 2), std::to_string(i));
}

TEST_P(PeerSecurityTest, TakesNothingFromAPeerWithAnotherSecret) {
  PeerOptions options = Encrypting("other secret");
  options.peer_timeout = milliseconds(300);
  const auto stranger = Start(options);
  const auto b = Start(Encrypting());
  ASSERT_TRUE(stranger->SendControl(b->address(), "let me in").ok());
  ASSERT_TRUE(stranger->SendData(b->address(), 0, "let me in", {}).ok());
  while (stranger->StreamStatus(b->address()).ok()) std::this_thread::yield();
  EXPECT_EQ(stranger->StreamStatus(b->address()).code(), StatusCode::kUnavailable);
  EXPECT_FALSE(b->ReceiveData(0, In(Duration(0)), {}));
  EXPECT_FALSE(b->ReceiveControl(In(Duration(0)), {}));
  // Encrypted connections fail below the frames that are counted.
  EXPECT_TRUE(GetParam() || stranger->stats().refused_connections > 0);
}

TEST(PeerNetworkFlowTest, ASlowReceiverBoundsWhatTheSenderHolds) {
  const auto a = Start();
  const auto b = Start();
  std::atomic<int> sent{0};
  std::jthread sender([&](const std::stop_token& stop) {
    while (sent < 64 && a->SendData(b->address(), 0, std::string(100'000, 'x'), stop).ok()) ++sent;
  });
  for (int received = 1; received <= 64; ++received) {
    ASSERT_EQ(Data(b.get()).size(), 100'000u);
    EXPECT_LE(sent, received + 11) << "1 MiB is 10 frames, and one may be under way";
  }
}

TEST(PeerNetworkFlowTest, AWaitingSenderHearsStopAndReset) {
  const auto a = Start();
  const auto b = Start();
  ASSERT_TRUE(a->SendData(b->address(), 0, std::string(1'000'000, 'x'), {}).ok());
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(a->SendData(b->address(), 0, std::string(1'000'000, 'y'), stop.get_token()).code(),
            StatusCode::kAborted);
  std::atomic<bool> done{false};
  std::jthread resetter([&] {
    while (!done) a->ResetData();
  });
  Status status;
  while (status.ok()) status = a->SendData(b->address(), 0, std::string(1'000'000, 'z'), {});
  done = true;
  EXPECT_EQ(status.code(), StatusCode::kAborted);
}

TEST(PeerNetworkFlowTest, RefusesFramesAboveTheLimit) {
  PeerOptions options = Options();
  options.max_frame_bytes = 100;
  const auto a = Start(options);
  EXPECT_EQ(a->SendData("127.0.0.1:1", 0, std::string(101, 'x'), {}).code(), StatusCode::kInvalid);
  EXPECT_EQ(a->SendControl("127.0.0.1:1", std::string(101, 'x')).code(), StatusCode::kInvalid);
}

TEST(PeerNetworkFlowTest, AFrameAboveTheWindowGoesAlone) {
  const auto a = Start();
  const auto b = Start();
  for (const char c : {'a', 'b'}) {
    std::jthread send(
        [&] { EXPECT_TRUE(a->SendData(b->address(), 3, std::string(5 << 20, c), {}).ok()); });
    EXPECT_EQ(Data(b.get(), 3), std::string(5 << 20, c));
  }
}

TEST(PeerNetworkTest, ADeadPeerDelaysNobodyElse) {
  PeerOptions options = Options();
  options.peer_timeout = seconds(60);
  const auto a = Start(options);
  const auto b = Start();
  std::string dead;
  dead = Start()->address();
  std::stop_source stop;
  std::jthread stuck([&] {
    while (a->SendData(dead, 0, std::string(500'000, 'x'), stop.get_token()).ok()) {
    }
  });
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(a->SendControl(dead, std::string(2000, 'm')).ok());
  std::jthread sender([&] {
    for (int i = 0; i < 50; ++i)
      EXPECT_TRUE(a->SendData(b->address(), 0, std::to_string(i), {}).ok());
  });
  ASSERT_TRUE(a->SendControl(b->address(), "alive").ok());
  for (int i = 0; i < 50; ++i) ASSERT_EQ(Data(b.get()), std::to_string(i));
  EXPECT_TRUE(b->ReceiveControl(In(seconds(20)), {}));
  EXPECT_GT(a->stats().dropped_messages, 0u) << "more than the dead peer's queue";
  stop.request_stop();
}

TEST(PeerNetworkTest, APeerThatStartsAgainGetsNothingMeantForItsPredecessor) {
  const auto a = Start();
  auto b = Start();
  PeerOptions again = Options();
  again.port = PortOf(*b);
  const std::string address = b->address();
  ASSERT_TRUE(a->SendData(address, 0, "first", {}).ok());
  ASSERT_EQ(Data(b.get()), "first");
  for (const char* frame : {"lost1", "lost2"}) ASSERT_TRUE(a->SendData(address, 0, frame, {}).ok());
  b.reset();
  b = Start(again);
  ASSERT_EQ(b->address(), address);
  while (a->StreamStatus(address).ok()) std::this_thread::yield();
  EXPECT_THAT(a->SendData(address, 0, "refused", {}).message(), HasSubstr("started again"));
  a->ResetData();
  ASSERT_TRUE(a->SendData(address, 0, "second life", {}).ok());
  EXPECT_EQ(Data(b.get()), "second life");
  EXPECT_EQ(a->stats().broken_streams, 1u);
}

TEST(PeerNetworkTest, ResetDropsWhatTheReceiverHolds) {
  const auto a = Start();
  const auto b = Start();
  ASSERT_TRUE(a->SendData(b->address(), 0, "old1", {}).ok());
  ASSERT_TRUE(a->SendData(b->address(), 0, "old2", {}).ok());
  ASSERT_EQ(Data(b.get()), "old1");
  a->ResetData();
  ASSERT_TRUE(a->SendData(b->address(), 1, "new1", {}).ok());
  ASSERT_EQ(Data(b.get(), 1), "new1");
  EXPECT_FALSE(b->ReceiveData(0, In(Duration(0)), {}));
}

TEST(PeerNetworkTest, AnAbsentPeerBreaksItsStreamsAfterTheTimeout) {
  PeerOptions options = Options();
  options.peer_timeout = milliseconds(100);
  const auto a = Start(options);
  const std::string nobody = Start()->address();
  Status status;
  while (status.ok()) status = a->SendData(nobody, 0, std::string(400'000, 'x'), {});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr(nobody));
}

TEST(PeerNetworkTest, ThreePeersExchange64MegabytesInOrder) {
  std::vector<std::unique_ptr<PeerNetwork>> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(Start());
  constexpr int kFrames = 110;
  const auto frame_of = [](int sender, int i) {
    std::mt19937 random(1000 * sender + i);
    return std::to_string(i) + " " + std::string(random() % 200'000, static_cast<char>(random()));
  };
  std::vector<std::jthread> threads;
  std::atomic<size_t> bytes{0};
  for (int me = 0; me < 3; ++me) {
    threads.emplace_back([&, me] {
      for (int i = 0; i < kFrames; ++i) {
        for (const int to : {(me + 1) % 3, (me + 2) % 3}) {
          ASSERT_TRUE(peers[me]->SendData(peers[to]->address(), 2, frame_of(me, i), {}).ok());
        }
      }
    });
    threads.emplace_back([&, me] {
      std::map<std::string, int> next;
      for (int i = 0; i < 2 * kFrames; ++i) {
        const std::optional<PeerFrame> frame = peers[me]->ReceiveData(2, In(seconds(60)), {});
        ASSERT_TRUE(frame);
        const int sender =
            frame->from == peers[(me + 1) % 3]->address() ? (me + 1) % 3 : (me + 2) % 3;
        ASSERT_EQ(frame->bytes.view(), frame_of(sender, next[frame->from]++));
        bytes += frame->bytes.size();
      }
    });
  }
  threads.clear();
  EXPECT_GT(bytes, size_t{60} << 20);
  for (const auto& peer : peers) EXPECT_EQ(peer->stats().broken_streams, 0u);
}

TEST(PeerNetworkTest, RefusesOptionsThatCannotWork) {
  PeerOptions no_secret = Options("");
  PeerOptions bad_port = Options();
  bad_port.port = 70000;
  PeerOptions bad_host = Options();
  bad_host.host = "no.such.host.invalid";
  for (const PeerOptions& options : {no_secret, bad_port, bad_host}) {
    EXPECT_EQ(PeerNetwork::Start(options).status().code(), StatusCode::kInvalid);
  }
}

}  // namespace
}  // namespace millrace::worker
