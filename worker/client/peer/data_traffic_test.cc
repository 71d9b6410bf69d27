#include "worker/client/peer/data_traffic.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::worker {
namespace {

// Two ends of a lane without one: what the sender collects is handed over by the test.
class DataTrafficTest : public ::testing::Test {
 protected:
  void Send(const std::string& bytes) { ASSERT_TRUE(a_.Send("b", 1, bytes, {}).ok()); }
  // Makes a connection; false when the sender wants another one.
  bool Connect(uint64_t process = 2) {
    sender_ = {"a", 1, a_.Session("b")};
    return a_.OnReady("b", process, b_.Greet(sender_).value_or(""));
  }
  std::vector<LaneWork::Frame> Collect() {
    LaneWork work;
    a_.Collect(&work);
    return work.frames;
  }
  bool Hand(const LaneWork::Frame& frame) {
    return b_.OnFrame(sender_, frame.header, frame.payload);
  }
  void Acknowledge() {
    LaneWork work;
    b_.Collect(&work);
    for (const LaneWork::Ack& ack : work.acks) a_.OnAck("b", ack.payload);
  }
  // Everything that b's threads can take now.
  std::string Take() {
    std::string all;
    while (const auto frame = b_.Receive(1, SystemClock().Monotonic(), {})) {
      all += frame->bytes.view();
    }
    return all;
  }

  DataTraffic a_{1000, [] {}};
  DataTraffic b_{1000, [] {}};
  Sender sender_;
};

TEST_F(DataTrafficTest, GoesOnWhereTheReceiverIsAfterALostConnection) {
  ASSERT_TRUE(Connect());
  for (const char* bytes : {"1", "2", "3"}) Send(bytes);
  const std::vector<LaneWork::Frame> frames = Collect();
  ASSERT_EQ(frames.size(), 3u);
  ASSERT_TRUE(Hand(frames[0]));
  a_.OnLost("b", false);
  ASSERT_TRUE(Connect());
  const std::vector<LaneWork::Frame> again = Collect();
  ASSERT_EQ(again.size(), 2u);
  for (const LaneWork::Frame& frame : again) ASSERT_TRUE(Hand(frame));
  EXPECT_EQ(Take(), "123");
  EXPECT_TRUE(a_.StatusOf("b").ok());
  EXPECT_EQ(a_.counts().lost_connections, 1u);
  EXPECT_EQ(a_.counts().sent_bytes, 5u) << "two frames twice";
  EXPECT_EQ(b_.counts().received_bytes, 3u);
}

TEST_F(DataTrafficTest, DropsRepeatedFramesAndRefusesGaps) {
  ASSERT_TRUE(Connect());
  for (const char* bytes : {"1", "2", "3"}) Send(bytes);
  const std::vector<LaneWork::Frame> frames = Collect();
  ASSERT_TRUE(Hand(frames[0]));
  ASSERT_TRUE(Hand(frames[0]));
  EXPECT_FALSE(Hand(frames[2]));
  ASSERT_TRUE(Hand(frames[1]));
  EXPECT_EQ(Take(), "12");
  EXPECT_EQ(b_.counts().repeated, 1u);
}

TEST_F(DataTrafficTest, ConsumedFramesMakeRoom) {
  ASSERT_TRUE(Connect());
  Send(std::string(700, 'x'));
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(a_.Send("b", 1, "y", stopped.get_token()).code(), StatusCode::kAborted);
  for (const LaneWork::Frame& frame : Collect()) ASSERT_TRUE(Hand(frame));
  EXPECT_EQ(a_.Send("b", 1, "y", stopped.get_token()).code(), StatusCode::kAborted)
      << "received is not consumed";
  EXPECT_EQ(Take().size(), 700u);
  Acknowledge();
  EXPECT_TRUE(a_.Send("b", 1, "y", stopped.get_token()).ok());
  EXPECT_EQ(a_.counts().credit_waits, 2u);
}

TEST_F(DataTrafficTest, BreaksWhenAnotherProcessHasTheAddress) {
  ASSERT_TRUE(Connect(2));
  Send("for process 2");
  Collect();
  a_.OnLost("b", false);
  EXPECT_FALSE(Connect(3));
  EXPECT_EQ(a_.StatusOf("b").code(), StatusCode::kUnavailable);
  a_.Reset();
  LaneWork work;
  a_.Collect(&work);
  ASSERT_TRUE(Connect(3));
  EXPECT_TRUE(Collect().empty());
  EXPECT_TRUE(a_.StatusOf("b").ok());
}

TEST_F(DataTrafficTest, ANewProcessIsNoErrorWhereNothingIsLost) {
  ASSERT_TRUE(Connect(2));
  Send("taken");
  for (const LaneWork::Frame& frame : Collect()) ASSERT_TRUE(Hand(frame));
  ASSERT_EQ(Take(), "taken");
  Acknowledge();
  a_.OnLost("b", false);
  EXPECT_FALSE(Connect(3)) << "a new session is needed";
  EXPECT_TRUE(Connect(3));
  EXPECT_TRUE(a_.StatusOf("b").ok());
}

TEST_F(DataTrafficTest, AnOldSessionDoesNotEndTheNewOne) {
  ASSERT_TRUE(Connect());
  const Sender old = sender_;
  Send("old");
  const std::vector<LaneWork::Frame> frames = Collect();
  a_.Reset();
  LaneWork work;
  a_.Collect(&work);
  EXPECT_EQ(work.relink, std::vector<std::string>{"b"});
  ASSERT_TRUE(Connect());
  EXPECT_FALSE(b_.Greet(old)) << "a ping that was under way";
  EXPECT_FALSE(b_.OnFrame(old, frames[0].header, frames[0].payload));
  Send("new");
  for (const LaneWork::Frame& frame : Collect()) ASSERT_TRUE(Hand(frame));
  EXPECT_EQ(Take(), "new");
}

}  // namespace
}  // namespace millrace::worker
