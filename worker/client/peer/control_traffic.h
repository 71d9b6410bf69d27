#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "worker/client/peer/lane_traffic.h"
#include "worker/client/peer/peer_network.h"

namespace millrace::worker {

// Messages of best effort: a bounded queue per peer and one for what came; what does not fit is
// dropped and counted. Send and Receive are thread-safe and never run under a lane's I/O.
class ControlTraffic final : public LaneTraffic {
 public:
  explicit ControlTraffic(size_t max_queued_bytes) : max_queued_bytes_(max_queued_bytes) {}

  // False when the peer's queue is full.
  bool Send(const std::string& address, std::string bytes);
  std::optional<PeerFrame> Receive(MonotonicTime deadline, const std::stop_token& stop);
  uint64_t dropped() const { return dropped_.load(); }

  uint64_t Session(const std::string& address) override;
  bool OnReady(const std::string& address, uint64_t process, std::string_view welcome) override;
  void OnAck(const std::string& address, std::string_view payload) override;
  void OnLost(const std::string& address, bool away) override;
  std::optional<std::string> Greet(const Sender& sender) override;
  bool OnFrame(const Sender& sender, const FrameHeader& header, SharedBytes payload) override;
  void Collect(LaneWork* work) override;

 private:
  struct Message {
    uint64_t checksum = 0;
    SharedBytes bytes;
  };
  struct Peer {
    uint64_t session = 0;
    bool ready = false;
    std::deque<Message> queue;
    // Bytes queued here and in ZeroMQ: messages reduce it when their last owner lets go, which may
    // be ZeroMQ's thread, after this peer.
    std::shared_ptr<std::atomic<size_t>> held = std::make_shared<std::atomic<size_t>>(0);
  };

  const size_t max_queued_bytes_;
  std::atomic<uint64_t> dropped_{0};
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::map<std::string, Peer> peers_;  // guarded by mutex_, as all below
  std::deque<PeerFrame> inbox_;
  size_t inbox_bytes_ = 0;
};

}  // namespace millrace::worker
