#include "worker/client/peer/peer_door.h"

#include <chrono>
#include <optional>
#include <utility>

namespace millrace::worker {
namespace {

constexpr int kMessagesPerDrain = 256;
constexpr size_t kMaxConnections = 4096;
constexpr Duration kProofTimeout = std::chrono::seconds(5);
constexpr Duration kForgetAfter = std::chrono::seconds(60);

}  // namespace

PeerDoor::PeerDoor(ZmqSocket socket, const LaneIdentity& identity, LaneTraffic* traffic,
                   LaneCounts* counts)
    : socket_(std::move(socket)), identity_(identity), traffic_(traffic), counts_(counts) {}

void PeerDoor::Drain(MonotonicTime now) {
  std::vector<SharedBytes> parts;
  for (int i = 0; i < kMessagesPerDrain; ++i) {
    if (!socket_.Receive(&parts)) return;
    if (parts.size() < 2 || parts.size() > 3) {
      counts_->dropped_frames.fetch_add(1);
      continue;
    }
    const Id id(parts[0].view());
    SharedBytes payload = parts.size() == 3 ? std::move(parts[2]) : SharedBytes();
    const std::optional<FrameHeader> header = DecodeHeader(parts[1].view(), payload.view());
    if (header) {
      OnFrame(id, *header, std::move(payload), now);
    } else {
      // A damaged frame leaves a gap: the sender starts over where it was.
      Drop(id);
    }
  }
}

void PeerDoor::OnFrame(const Id& id, const FrameHeader& header, SharedBytes payload,
                       MonotonicTime now) {
  if (header.kind == FrameKind::kHello) return OnHello(id, payload.view(), now);
  const auto it = connections_.find(id);
  if (it == connections_.end() || header.target != identity_.process) return Drop(id);
  it->second.heard = now;
  if (it->second.proven) return OnProven(id, it->second, header, std::move(payload));
  if (header.kind == FrameKind::kProof) return OnProof(id, payload.view());
  Drop(id);
}

void PeerDoor::OnHello(const Id& id, std::string_view payload, MonotonicTime now) {
  const std::optional<Hello> hello = DecodeHello(payload);
  if (!hello || connections_.size() >= kMaxConnections) {
    counts_->dropped_frames.fetch_add(1);
    return;
  }
  Connection& connection = connections_[id];
  connection = {std::string(payload),
                RandomNonce(),
                {hello->address, hello->process, hello->session},
                false,
                now};
  const std::string proof = MakeProof(identity_.secret, identity_.Role("listens"), connection.hello,
                                      connection.nonce, identity_.process);
  Reply(id, FrameKind::kChallenge, hello->process,
        EncodeChallenge({connection.nonce, identity_.process, proof}));
}

void PeerDoor::OnProof(const Id& id, std::string_view payload) {
  Connection& connection = connections_[id];
  const std::string want = MakeProof(identity_.secret, identity_.Role("connects"), connection.hello,
                                     connection.nonce, identity_.process);
  if (!SameProof(payload, want)) {
    CountRefused(identity_, connection.sender.address, counts_);
    connections_.erase(id);
    return;
  }
  connection.proven = true;
  if (const auto old = by_session_.find(connection.sender.session);
      old != by_session_.end() && old->second != id) {
    connections_.erase(old->second);
  }
  by_session_[connection.sender.session] = id;
  Greet(id, connection, FrameKind::kWelcome);
}

void PeerDoor::OnProven(const Id& id, Connection& connection, const FrameHeader& header,
                        SharedBytes payload) {
  if (header.kind == FrameKind::kPing) {
    return Greet(id, connection, FrameKind::kAck);
  }
  if (header.kind == FrameKind::kData &&
      traffic_->OnFrame(connection.sender, header, std::move(payload))) {
    return;
  }
  Drop(id);
}

void PeerDoor::Greet(const Id& id, const Connection& connection, FrameKind answer) {
  std::optional<std::string> payload = traffic_->Greet(connection.sender);
  if (!payload) return Drop(id);
  Reply(id, answer, connection.sender.process, std::move(*payload));
}

// Drops a frame with its connection; the sender, if it is a peer, connects anew.
void PeerDoor::Drop(const Id& id) {
  counts_->dropped_frames.fetch_add(1);
  const auto it = connections_.find(id);
  if (it != connections_.end()) {
    const auto session = by_session_.find(it->second.sender.session);
    if (session != by_session_.end() && session->second == id) by_session_.erase(session);
    connections_.erase(it);
  }
  Reply(id, FrameKind::kReject, 0, {});
}

void PeerDoor::Reply(const Id& id, FrameKind kind, uint64_t target, std::string payload) {
  FrameHeader header{.kind = kind, .target = target};
  header.length = static_cast<uint32_t>(payload.size());
  header.checksum = PayloadChecksum(payload);
  std::vector<SharedBytes> parts{SharedBytes(id), SharedBytes(EncodeHeader(header))};
  if (!payload.empty()) parts.emplace_back(std::move(payload));
  // Where the connection is gone the peer makes a new one and asks again.
  if (!socket_.Send(parts)) counts_->dropped_frames.fetch_add(1);
}

void PeerDoor::SendAck(const LaneWork::Ack& ack) {
  const auto it = by_session_.find(ack.session);
  if (it == by_session_.end()) return;
  const Connection& connection = connections_.at(it->second);
  Reply(it->second, FrameKind::kAck, connection.sender.process, ack.payload);
}

void PeerDoor::Tick(MonotonicTime now) {
  for (auto it = connections_.begin(); it != connections_.end();) {
    const Connection& connection = it->second;
    if (now - connection.heard <= (connection.proven ? kForgetAfter : kProofTimeout)) {
      ++it;
      continue;
    }
    if (!connection.proven) CountRefused(identity_, connection.sender.address, counts_);
    const auto session = by_session_.find(connection.sender.session);
    if (session != by_session_.end() && session->second == it->first) by_session_.erase(session);
    it = connections_.erase(it);
  }
}

}  // namespace millrace::worker
