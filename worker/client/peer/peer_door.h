#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/client/peer/lane_traffic.h"

namespace millrace::worker {

// The listening side of a lane: challenges who connects and hands on what proven peers send; all
// else is dropped and counted. Lane thread only. Everything given to it outlives it.
class PeerDoor {
 public:
  // `socket` is a bound ROUTER.
  PeerDoor(ZmqSocket socket, const LaneIdentity& identity, LaneTraffic* traffic,
           LaneCounts* counts);

  void* socket() const { return socket_.get(); }
  // Takes what came, up to a limit: the next poll tells of the rest.
  void Drain(MonotonicTime now);
  void SendAck(const LaneWork::Ack& ack);
  // Forgets connections that are silent or did not prove themselves in time.
  void Tick(MonotonicTime now);

 private:
  struct Connection {
    std::string hello;
    std::string nonce;
    Sender sender;
    bool proven = false;
    MonotonicTime heard;
  };
  using Id = std::string;  // ZeroMQ's name of a connection

  void OnFrame(const Id& id, const FrameHeader& header, SharedBytes payload, MonotonicTime now);
  void OnHello(const Id& id, std::string_view payload, MonotonicTime now);
  void OnProof(const Id& id, std::string_view payload);
  void OnProven(const Id& id, Connection& connection, const FrameHeader& header,
                SharedBytes payload);
  void Greet(const Id& id, const Connection& connection, FrameKind answer);
  void Drop(const Id& id);
  void Reply(const Id& id, FrameKind kind, uint64_t target, std::string payload);

  ZmqSocket socket_;
  const LaneIdentity& identity_;
  LaneTraffic* traffic_;
  LaneCounts* counts_;
  std::map<Id, Connection> connections_;
  std::map<uint64_t, Id> by_session_;  // proven ones
};

}  // namespace millrace::worker
