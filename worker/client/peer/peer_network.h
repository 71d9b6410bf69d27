#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/peer/peer_wire.h"
#include "worker/client/peer/shared_bytes.h"

namespace millrace::worker {

// The same for all workers of a job, host and port aside.
struct PeerOptions {
  std::string host;         // by which others reach this process
  std::string listen_host;  // numeric address to listen on, or "*"; empty: `host`
  int port = 0;             // for control; data takes port + 1. 0: any two free ports
  std::string secret;       // of the job; never logged or sent
  bool encrypt = false;     // CURVE, with keys made from the secret
  size_t max_queued_bytes_per_peer = size_t{16} << 20;  // per stream, on either side
  size_t max_frame_bytes = size_t{64} << 20;
  Duration peer_timeout = std::chrono::seconds(10);  // silence after which a peer is away
};

struct PeerFrame {
  std::string from;      // address of the sender
  uint64_t process = 0;  // of the sender: another number after each start
  SharedBytes bytes;
};

// Counts since the start.
struct PeerStats {
  uint64_t refused_connections = 0;  // of peers that did not prove to know the secret
  uint64_t dropped_frames = 0;       // unproven, damaged, of another process or repeated
  uint64_t dropped_messages = 0;     // control messages for a full queue or a peer that is away
  uint64_t broken_streams = 0;       // peers whose data was lost: see StreamStatus
  uint64_t lost_connections = 0;     // of the data lane; each is made anew
  uint64_t sent_bytes = 0;           // of data frames, repetitions included
  uint64_t received_bytes = 0;
  uint64_t credit_waits = 0;  // data frames that waited until the receiver had consumed others
  Duration credit_wait{0};    // how long, all together
};

// The way between the workers of one job: control messages and streams of data frames over ZeroMQ,
// the only user of which it is. One object per process. Control and data have their own
// connections, queues and threads, so neither heartbeats nor messages wait for data. Both ends of a
// connection prove to know the secret (HMAC-SHA256 over fresh nonces) before anything else is taken
// from them; without `encrypt` what follows is neither encrypted nor signed. Lost connections are
// made anew. A peer that starts again on the same address gets nothing that was meant for its
// predecessor. Data: each (peer, stream) arrives whole, once and in order, or the stream breaks; a
// frame counts against the sender's and the receiver's max_queued_bytes_per_peer until ReceiveData
// has returned it, so a slow receiver holds up its own senders only. Thread-safe; destroy it after
// the last call. Errors: kUnavailable for peers that are away or started again, kAborted when
// stopped, kInvalid for frames above max_frame_bytes.
class PeerNetwork {
 public:
  static constexpr int kStreams = kPeerStreams;  // ids are 0 .. kStreams - 1

  // Binds the ports and starts the threads. kInvalid for an empty secret or an address that cannot
  // be bound.
  static Result<std::unique_ptr<PeerNetwork>> Start(PeerOptions options);
  ~PeerNetwork();

  // "host:port"; what others pass to the functions below.
  const std::string& address() const;
  uint64_t process() const;

  // Never blocks. Best effort: drops the message, and counts it, when the peer's queue is full or
  // the peer stays away.
  Status SendControl(const std::string& address, std::string bytes);
  // The next message of anybody; nothing at `deadline` or when stopped.
  std::optional<PeerFrame> ReceiveControl(MonotonicTime deadline, const std::stop_token& stop);

  // Queues a frame; blocks while the receiver has not consumed enough of the stream. An error is
  // that of StreamStatus.
  Status SendData(const std::string& address, int stream, std::string bytes,
                  const std::stop_token& stop);
  // The next frame of anybody on the stream; nothing at `deadline` or when stopped.
  std::optional<PeerFrame> ReceiveData(int stream, MonotonicTime deadline,
                                       const std::stop_token& stop);
  // kUnavailable once queued frames for the peer are lost, until ResetData.
  Status StreamStatus(const std::string& address) const;
  // Gives up everything queued for others, mends broken streams and lets SendData calls that wait
  // return kAborted. Receivers drop what they hold of the old streams. For a new generation.
  void ResetData();

  PeerStats stats() const;

 private:
  struct Parts;
  explicit PeerNetwork(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::worker
