#include "worker/client/peer/peer_link.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "crds/base/log.h"

namespace millrace::worker {
namespace {

constexpr Duration kFirstBackoff = std::chrono::milliseconds(20);
constexpr Duration kMaxBackoff = std::chrono::seconds(1);
constexpr Duration kHandshakeTimeout = std::chrono::seconds(2);
constexpr Duration kPingEvery = std::chrono::seconds(1);
constexpr Duration kMaxSilence = std::chrono::seconds(5);
constexpr int kMessagesPerDrain = 256;

// "host:port" with the port moved by `offset`.
std::string Endpoint(const std::string& address, int offset) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return address;
  return address.substr(0, colon + 1) +
         std::to_string(std::atoi(address.c_str() + colon + 1) + offset);
}

}  // namespace

void CountRefused(const LaneIdentity& identity, const std::string& peer, LaneCounts* counts) {
  counts->refused_connections.fetch_add(1);
  if (counts->logged.exchange(true)) return;
  Log(LogLevel::kWarn,
      "a peer does not know the job's secret; nothing is taken from it. Do all workers of the job "
      "have the same secret?",
      {{"peer", peer}, {"lane", identity.name}});
}

PeerLink::PeerLink(std::string address, const LaneIdentity& identity, const ZmqContext& context,
                   LaneTraffic* traffic, LaneCounts* counts, MonotonicTime now)
    : address_(std::move(address)),
      identity_(identity),
      context_(context),
      traffic_(traffic),
      counts_(counts),
      retry_at_(now),
      backoff_(kFirstBackoff),
      since_(now),
      lost_since_(now),
      heard_(now),
      pinged_(now) {}

void PeerLink::Open(MonotonicTime now) {
  Result<ZmqSocket> socket = ZmqSocket::Open(context_, ZmqSocket::Kind::kDealer, identity_.socket);
  Status status = socket.status();
  if (status.ok()) {
    socket_.emplace(std::move(socket).value());
    status = socket_->Connect(Endpoint(address_, identity_.port_offset));
  }
  if (!status.ok()) {
    Log(LogLevel::kWarn, "peer cannot be reached",
        {{"peer", address_}, {"error", status.message()}});
    return Lose(now);
  }
  hello_ = EncodeHello(
      {RandomNonce(), identity_.process, traffic_->Session(address_), identity_.address});
  state_ = State::kGreeting;
  since_ = heard_ = now;
  SendRaw({.kind = FrameKind::kHello}, SharedBytes(hello_));
}

void PeerLink::Lose(MonotonicTime now) {
  if (state_ == State::kReady) {
    lost_since_ = now;
    traffic_->OnLost(address_, false);
  }
  socket_.reset();
  state_ = State::kWaiting;
  retry_at_ = now + backoff_;
  backoff_ = std::min(backoff_ * 2, kMaxBackoff);
}

void PeerLink::Relink(MonotonicTime now) {
  Lose(now);
  backoff_ = kFirstBackoff;
  retry_at_ = now;
}

void PeerLink::SendRaw(FrameHeader header, const SharedBytes& payload) {
  header.length = static_cast<uint32_t>(payload.size());
  if (header.kind != FrameKind::kData) header.checksum = PayloadChecksum(payload.view());
  std::vector<SharedBytes> parts{SharedBytes(EncodeHeader(header))};
  if (payload.size() > 0) parts.push_back(payload);
  // A message that is not taken is one on a lost connection: silence ends it.
  if (!socket_->Send(parts)) counts_->dropped_frames.fetch_add(1);
}

void PeerLink::Send(FrameHeader header, const SharedBytes& payload) {
  header.target = process_;
  SendRaw(header, payload);
}

void PeerLink::Drain(MonotonicTime now) {
  std::vector<SharedBytes> parts;
  for (int i = 0; i < kMessagesPerDrain; ++i) {
    if (!socket_ || !socket_->Receive(&parts)) return;
    const std::string_view payload = parts.size() == 2 ? parts[1].view() : std::string_view();
    const std::optional<FrameHeader> header =
        parts.size() > 2 ? std::nullopt : DecodeHeader(parts[0].view(), payload);
    if (!header || (header->target != 0 && header->target != identity_.process)) {
      counts_->dropped_frames.fetch_add(1);
      continue;
    }
    heard_ = now;
    OnFrame(*header, payload, now);
  }
}

void PeerLink::OnFrame(const FrameHeader& header, std::string_view payload, MonotonicTime now) {
  switch (header.kind) {
    case FrameKind::kChallenge:
      if (state_ == State::kGreeting) OnChallenge(payload, now);
      return;
    case FrameKind::kWelcome:
      if (state_ == State::kProving) OnWelcome(payload, now);
      return;
    case FrameKind::kReject:
      return Relink(now);
    case FrameKind::kAck:
      if (state_ == State::kReady) traffic_->OnAck(address_, payload);
      return;
    case FrameKind::kHello:
    case FrameKind::kProof:
    case FrameKind::kPing:
    case FrameKind::kData:
      counts_->dropped_frames.fetch_add(1);
      return;
  }
}

void PeerLink::OnChallenge(std::string_view payload, MonotonicTime now) {
  const std::optional<Challenge> challenge = DecodeChallenge(payload);
  const bool proven =
      challenge &&
      SameProof(challenge->proof, MakeProof(identity_.secret, identity_.Role("listens"), hello_,
                                            challenge->nonce, challenge->process));
  if (!proven) {
    CountRefused(identity_, address_, counts_);
    backoff_ = kMaxBackoff;
    return Lose(now);
  }
  process_ = challenge->process;
  state_ = State::kProving;
  since_ = now;
  const std::string proof = MakeProof(identity_.secret, identity_.Role("connects"), hello_,
                                      challenge->nonce, challenge->process);
  Send({.kind = FrameKind::kProof}, SharedBytes(proof));
}

void PeerLink::OnWelcome(std::string_view payload, MonotonicTime now) {
  if (!traffic_->OnReady(address_, process_, payload)) return Relink(now);
  state_ = State::kReady;
  since_ = pinged_ = now;
  backoff_ = kFirstBackoff;
  away_ = false;
}

void PeerLink::Tick(MonotonicTime now) {
  if (state_ == State::kWaiting && now >= retry_at_) Open(now);
  const bool stuck = state_ == State::kGreeting || state_ == State::kProving;
  if (stuck && now - since_ > kHandshakeTimeout) Lose(now);
  if (ready() && now - heard_ > std::min(kMaxSilence, identity_.peer_timeout)) Lose(now);
  if (ready() && now - pinged_ >= kPingEvery) {
    pinged_ = now;
    Send({.kind = FrameKind::kPing}, {});
  }
  if (!ready() && !away_ && now - lost_since_ > identity_.peer_timeout) {
    away_ = true;
    traffic_->OnLost(address_, true);
  }
}

}  // namespace millrace::worker
