#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/client/peer/lane_traffic.h"

namespace millrace::worker {

// The connection of a lane to one peer, made anew whenever it is lost. States:
//   kWaiting   until retry_at_; then a new socket says hello        -> kGreeting
//   kGreeting  waits for the peer's challenge and answers its proof -> kProving
//   kProving   waits for the welcome                                -> kReady
//   kReady     carries frames; asks for a sign of life each second
// Any state goes back to kWaiting on a reject, a wrong proof or silence. Lane thread only.
// Everything given to it outlives it.
class PeerLink {
 public:
  PeerLink(std::string address, const LaneIdentity& identity, const ZmqContext& context,
           LaneTraffic* traffic, LaneCounts* counts, MonotonicTime now);

  bool ready() const { return state_ == State::kReady; }
  // Lost for longer than the peer timeout; the traffic has been told.
  bool away() const { return away_; }
  // Null while there is no socket to wait for.
  void* socket() const { return socket_ ? socket_->get() : nullptr; }
  // Requires: ready().
  void Send(FrameHeader header, const SharedBytes& payload);
  // Takes what came, up to a limit: the next poll tells of the rest.
  void Drain(MonotonicTime now);
  void Tick(MonotonicTime now);
  void Relink(MonotonicTime now);

 private:
  enum class State { kWaiting, kGreeting, kProving, kReady };

  void Open(MonotonicTime now);
  void Lose(MonotonicTime now);
  void SendRaw(FrameHeader header, const SharedBytes& payload);
  void OnFrame(const FrameHeader& header, std::string_view payload, MonotonicTime now);
  void OnChallenge(std::string_view payload, MonotonicTime now);
  void OnWelcome(std::string_view payload, MonotonicTime now);

  std::string address_;
  const LaneIdentity& identity_;
  const ZmqContext& context_;
  LaneTraffic* traffic_;
  LaneCounts* counts_;
  State state_ = State::kWaiting;
  std::optional<ZmqSocket> socket_;
  std::string hello_;
  uint64_t process_ = 0;  // of the peer
  MonotonicTime retry_at_;
  Duration backoff_;
  MonotonicTime since_;       // when the state was entered
  MonotonicTime lost_since_;  // last time it was ready, or made
  MonotonicTime heard_;
  MonotonicTime pinged_;
  bool away_ = false;
};

}  // namespace millrace::worker
