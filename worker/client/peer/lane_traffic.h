#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/client/peer/peer_wire.h"
#include "worker/client/peer/shared_bytes.h"
#include "worker/client/peer/zmq_socket.h"

namespace millrace::worker {

// The proven sender behind a connection.
struct Sender {
  std::string address;
  uint64_t process = 0;
  uint64_t session = 0;  // those of a process grow
};

// What one turn of a lane has to send.
struct LaneWork {
  struct Frame {
    std::string address;
    FrameHeader header;  // the link fills in the target
    SharedBytes payload;
  };
  struct Ack {
    uint64_t session = 0;
    std::string payload;
  };
  std::vector<Frame> frames;
  std::vector<Ack> acks;
  std::vector<std::string> wanted;  // peers to connect to
  std::vector<std::string> relink;  // peers to connect to anew, with a new session
};

// What is carried over a lane: decides what is sent when, and takes what comes. Called by the
// lane's thread only and never blocks; the other side of an implementation serves the threads of
// the process.
class LaneTraffic {
 public:
  virtual ~LaneTraffic() = default;
  // ---- towards a peer ----
  virtual uint64_t Session(const std::string& address) = 0;
  // Both sides are proven. False: connect anew.
  virtual bool OnReady(const std::string& address, uint64_t process, std::string_view welcome) = 0;
  virtual void OnAck(const std::string& address, std::string_view payload) = 0;
  // The connection to a peer is lost; `away`: for longer than the lane waits, what is queued is
  // lost.
  virtual void OnLost(const std::string& address, bool away) = 0;
  // ---- from a peer ----
  // A new connection, or a ping of one; the payload of the answer. Nothing: the sender has a newer
  // session.
  virtual std::optional<std::string> Greet(const Sender& sender) = 0;
  // False: out of step, the sender has to connect anew.
  virtual bool OnFrame(const Sender& sender, const FrameHeader& header, SharedBytes payload) = 0;
  // ----
  virtual void Collect(LaneWork* work) = 0;
};

struct LaneCounts {
  std::atomic<uint64_t> refused_connections{0};
  std::atomic<uint64_t> dropped_frames{0};
  std::atomic<bool> logged{false};  // that a peer does not know the secret
};

// Fixed while a lane lives; outlives its links and its door.
struct LaneIdentity {
  std::string name;     // "control" or "data"
  std::string address;  // of this process, as peers name it
  uint64_t process = 0;
  std::string secret;
  ZmqSocket::Options socket;
  Duration peer_timeout{0};
  int port_offset = 0;  // added to the port in an address

  std::string Role(std::string_view side) const { return name + " " + std::string(side); }
};

// Counts a peer that does not know the secret; logs the first one of a lane.
void CountRefused(const LaneIdentity& identity, const std::string& peer, LaneCounts* counts);

}  // namespace millrace::worker
