#include "worker/client/peer/peer_wire.h"

#include <gtest/gtest.h>

#include "worker/client/peer/peer_network.h"
#include "worker/client/peer/zmq_socket.h"

namespace millrace::worker {
namespace {

FrameHeader HeaderFor(std::string_view payload) {
  return {.kind = FrameKind::kData,
          .stream = 3,
          .length = static_cast<uint32_t>(payload.size()),
          .target = 7,
          .sequence = 9,
          .checksum = PayloadChecksum(payload)};
}

TEST(PeerWireTest, ReadsBackWhatItWrote) {
  const std::optional<FrameHeader> header = DecodeHeader(EncodeHeader(HeaderFor("abc")), "abc");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->stream, 3);
  EXPECT_EQ(header->target, 7u);
  EXPECT_EQ(header->sequence, 9u);
  StreamMarks marks;
  marks.received[2] = 5;
  marks.consumed[3] = 4;
  const std::optional<StreamMarks> read = DecodeMarks(EncodeMarks(marks));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->received, marks.received);
  EXPECT_EQ(read->consumed, marks.consumed);
}

TEST(PeerWireTest, RefusesEveryDamagedByteAndCutFrame) {
  const std::string good = EncodeHeader(HeaderFor("abc"));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 0x10;
    EXPECT_FALSE(DecodeHeader(bad, "abc")) << i;
    EXPECT_FALSE(DecodeHeader(good.substr(0, i), "abc")) << i;
  }
  EXPECT_FALSE(DecodeHeader(good, "abd"));
  EXPECT_FALSE(DecodeHeader(good, "ab"));
  EXPECT_FALSE(DecodeHello("short"));
  EXPECT_FALSE(DecodeChallenge(""));
  EXPECT_FALSE(DecodeMarks("x"));
}

TEST(PeerWireTest, AProofHoldsForOneSecretSideAndConversation) {
  const std::string proof = MakeProof("secret", "data connects", "hello", "nonce", 1);
  EXPECT_TRUE(SameProof(proof, MakeProof("secret", "data connects", "hello", "nonce", 1)));
  for (const std::string& other : {MakeProof("other", "data connects", "hello", "nonce", 1),
                                   MakeProof("secret", "data listens", "hello", "nonce", 1),
                                   MakeProof("secret", "data connects", "hallo", "nonce", 1),
                                   MakeProof("secret", "data connects", "hello", "once", 1),
                                   MakeProof("secret", "data connects", "hello", "nonce", 2)}) {
    EXPECT_FALSE(SameProof(proof, other));
  }
  EXPECT_FALSE(SameProof(proof, ""));
}

TEST(PeerWireTest, AFrameWithoutAProofIsDroppedAndRejected) {
  const Result<std::unique_ptr<PeerNetwork>> network =
      PeerNetwork::Start({.host = "127.0.0.1", .secret = "job secret"});
  ASSERT_TRUE(network.ok());
  const ZmqContext context;
  Result<ZmqSocket> stranger =
      ZmqSocket::Open(context, ZmqSocket::Kind::kDealer, {.max_part_bytes = 1000});
  ASSERT_TRUE(stranger.ok());
  ASSERT_TRUE(stranger->Connect((*network)->address()).ok());
  FrameHeader header = HeaderFor("abc");
  header.target = (*network)->process();
  ASSERT_TRUE(stranger->Send({SharedBytes(EncodeHeader(header)), SharedBytes("abc")}));
  std::vector<SharedBytes> answer;
  while (!stranger->Receive(&answer)) {
  }
  const std::optional<FrameHeader> rejected = DecodeHeader(answer.at(0).view(), "");
  ASSERT_TRUE(rejected);
  EXPECT_EQ(rejected->kind, FrameKind::kReject);
  EXPECT_EQ((*network)->stats().dropped_frames, 1u);
  EXPECT_FALSE((*network)->ReceiveControl(SystemClock().Monotonic(), {}));
}

}  // namespace
}  // namespace millrace::worker
