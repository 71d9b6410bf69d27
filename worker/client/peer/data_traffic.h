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
  // Counts since the start. Thread-safe.
  struct Counts {
    std::atomic<uint64_t> broken{0};    // peers whose data was lost
    std::atomic<uint64_t> repeated{0};  // frames that had come before
    std::atomic<uint64_t> lost_connections{0};
    std::atomic<uint64_t> sent_bytes{0};      // of frames, repetitions included
    std::atomic<uint64_t> received_bytes{0};  // of frames that were taken
    std::atomic<uint64_t> credit_waits{0};    // frames that had to wait for room
    std::atomic<int64_t> credit_wait_nanos{0};
  };
  const Counts& counts() const { return counts_; }

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

  bool AwaitRoom(std::unique_lock<std::mutex>* lock, const std::function<bool()>& may_go,
                 const std::stop_token& stop);
  static bool Holds(const Peer& peer);
  void Renew(Peer* peer);
  void Break(const std::string& address, Peer* peer, const std::string& why);
  static void Release(OutStream* stream, uint64_t consumed);
  void Forget(uint64_t session);

  const size_t window_bytes_;
  const std::function<void()> wake_;
  Counts counts_;
  mutable std::mutex mutex_;
  std::condition_variable_any room_;
  std::array<std::condition_variable_any, kPeerStreams> arrived_;
  uint64_t next_session_ = RandomId() >> 1;
  std::map<std::string, Peer> peers_;  // guarded by mutex_, as all below
  std::map<uint64_t, InSession> sessions_;
  std::array<std::deque<Arrived>, kPeerStreams> inbox_;
};

}  // namespace millrace::worker
