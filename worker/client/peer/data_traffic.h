#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "worker/client/peer/lane_traffic.h"
#include "worker/client/peer/peer_network.h"

namespace millrace::worker {

// Flow-controlled streams. The sender keeps each frame until the receiver's thread has taken it and
// sends again from where the receiver is when a connection is made anew; what it keeps per stream
// is at most `window_bytes` (or one frame), and so is what the receiver holds. A session names one
// run of streams between two processes: sequences begin at 0, and a receiver that knows only part
// of a session is not given the rest. Send, Receive, Status and Reset are thread-safe.
class DataTraffic final : public LaneTraffic {
 public:
  // `wake` makes the lane collect; called without locks held.
  DataTraffic(size_t window_bytes, std::function<void()> wake)
      : window_bytes_(window_bytes), wake_(std::move(wake)) {}

  Status Send(const std::string& address, int stream, std::string bytes,
              const std::stop_token& stop);
  std::optional<PeerFrame> Receive(int stream, MonotonicTime deadline, const std::stop_token& stop);
  Status StatusOf(const std::string& address) const;
  void Reset();
  uint64_t broken() const { return broken_.load(); }
  uint64_t repeated() const { return repeated_.load(); }

  uint64_t Session(const std::string& address) override;
  bool OnReady(const std::string& address, uint64_t process, std::string_view welcome) override;
  void OnAck(const std::string& address, std::string_view payload) override;
  void OnLost(const std::string& address, bool away) override;
  std::optional<std::string> Greet(const Sender& sender) override;
  bool OnFrame(const Sender& sender, const FrameHeader& header, SharedBytes payload) override;
  void Collect(LaneWork* work) override;

 private:
  struct Kept {
    uint64_t checksum = 0;
    SharedBytes bytes;
  };
  struct OutStream {
    std::deque<Kept> kept;  // sent and not consumed, then not sent
    uint64_t first = 0;     // sequence of kept.front()
    uint64_t unsent = 0;    // sequence of the next to send
    size_t kept_bytes = 0;
  };
  struct Peer {
    uint64_t session = 0;
    uint64_t process = 0;  // that the session is with; 0 before the first welcome
    uint64_t resets = 0;
    bool ready = false;
    bool relink = false;
    Status error;
    std::array<OutStream, kPeerStreams> streams;
  };
  struct InSession {
    Sender sender;
    StreamMarks marks;
    std::array<size_t, kPeerStreams> unacked{};  // bytes consumed since the last ack
    std::array<size_t, kPeerStreams> queued{};   // frames
    bool ack_due = false;
  };
  struct Arrived {
    uint64_t session = 0;
    PeerFrame frame;
  };

  static bool Holds(const Peer& peer);
  void Renew(Peer* peer);
  void Break(const std::string& address, Peer* peer, const std::string& why);
  static void Release(OutStream* stream, uint64_t consumed);
  void Forget(uint64_t session);

  const size_t window_bytes_;
  const std::function<void()> wake_;
  std::atomic<uint64_t> broken_{0};
  std::atomic<uint64_t> repeated_{0};
  mutable std::mutex mutex_;
  std::condition_variable_any room_;
  std::array<std::condition_variable_any, kPeerStreams> arrived_;
  uint64_t next_session_ = RandomId() >> 1;
  std::map<std::string, Peer> peers_;  // guarded by mutex_, as all below
  std::map<uint64_t, InSession> sessions_;
  std::array<std::deque<Arrived>, kPeerStreams> inbox_;
};

}  // namespace millrace::worker
