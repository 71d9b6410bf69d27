#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "crds/base/file.h"
#include "worker/client/peer/lane_traffic.h"
#include "worker/client/peer/peer_door.h"
#include "worker/client/peer/peer_link.h"

namespace millrace::worker {

// The listening socket of a lane before its thread runs.
struct BoundSocket {
  std::unique_ptr<ZmqContext> context;
  ZmqSocket socket;
  int port = 0;
};

// A thread with the sockets of one kind of traffic: a door where peers connect, and a link to each
// peer that the traffic wants. Wake is thread-safe; all else happens on the thread, which ends with
// the lane. `traffic` outlives it.
class Lane {
 public:
  static Result<BoundSocket> Bind(const ZmqSocket::Options& options, const std::string& host,
                                  int port);
  static Result<std::unique_ptr<Lane>> Start(BoundSocket bound, LaneIdentity identity,
                                             LaneTraffic* traffic);
  ~Lane();

  // The traffic has something to send.
  void Wake();
  const LaneCounts& counts() const { return counts_; }

 private:
  Lane(BoundSocket bound, LaneIdentity identity, LaneTraffic* traffic, UniqueFd wake);
  void Run(const std::stop_token& stop);
  void SendOut(MonotonicTime now);
  void TakeIn();
  void ClearWake();
  void Tick(MonotonicTime now);
  PeerLink& LinkTo(const std::string& address, MonotonicTime now);

  LaneIdentity identity_;
  LaneTraffic* traffic_;
  LaneCounts counts_;
  UniqueFd wake_;
  std::atomic<bool> woken_{false};  // wake_ was written since the thread looked last
  std::unique_ptr<ZmqContext> context_;
  PeerDoor door_;
  std::map<std::string, std::unique_ptr<PeerLink>> links_;
  LaneWork work_;
  std::jthread thread_;
};

}  // namespace millrace::worker
