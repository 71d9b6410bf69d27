#include "worker/client/peer/control_traffic.h"

#include <utility>

namespace millrace::worker {
namespace {

constexpr size_t kMessageOverhead = 256;  // so that empty messages are bounded too

// `bytes`, counted in `held` until nobody holds them.
SharedBytes Counted(std::string bytes, std::shared_ptr<std::atomic<size_t>> held) {
  const size_t cost = bytes.size() + kMessageOverhead;
  held->fetch_add(cost);
  auto* text = new std::string(std::move(bytes));
  const std::shared_ptr<const std::string> owner(
      text, [cost, held = std::move(held)](const std::string* released) {
        delete released;
        held->fetch_sub(cost);
      });
  return {owner, *owner};
}

}  // namespace

bool ControlTraffic::Send(const std::string& address, std::string bytes) {
  const uint64_t checksum = PayloadChecksum(bytes);
  std::lock_guard lock(mutex_);
  Peer& peer = peers_[address];
  if (peer.held->load() + bytes.size() + kMessageOverhead > max_queued_bytes_) {
    dropped_.fetch_add(1);
    return false;
  }
  peer.queue.push_back({checksum, Counted(std::move(bytes), peer.held)});
  return true;
}

std::optional<PeerFrame> ControlTraffic::Receive(MonotonicTime deadline,
                                                 const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_until(lock, stop, deadline, [&] { return !inbox_.empty(); })) {
    return std::nullopt;
  }
  PeerFrame frame = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= frame.bytes.size() + kMessageOverhead;
  return frame;
}

uint64_t ControlTraffic::Session(const std::string& address) {
  std::lock_guard lock(mutex_);
  Peer& peer = peers_[address];
  if (peer.session == 0) peer.session = RandomId();
  return peer.session;
}

bool ControlTraffic::OnReady(const std::string& address, uint64_t, std::string_view) {
  std::lock_guard lock(mutex_);
  peers_[address].ready = true;
  return true;
}

void ControlTraffic::OnAck(const std::string&, std::string_view) {}

void ControlTraffic::OnLost(const std::string& address, bool away) {
  std::lock_guard lock(mutex_);
  Peer& peer = peers_[address];
  peer.ready = false;
  if (!away) return;
  dropped_.fetch_add(peer.queue.size());
  peers_.erase(address);
}

std::optional<std::string> ControlTraffic::Greet(const Sender&) { return std::string(); }

bool ControlTraffic::OnFrame(const Sender& sender, const FrameHeader&, SharedBytes payload) {
  const size_t cost = payload.size() + kMessageOverhead;
  std::lock_guard lock(mutex_);
  if (inbox_bytes_ + cost > max_queued_bytes_) {
    dropped_.fetch_add(1);
    return true;
  }
  inbox_bytes_ += cost;
  inbox_.push_back({sender.address, sender.process, std::move(payload)});
  arrived_.notify_one();
  return true;
}

void ControlTraffic::Collect(LaneWork* work) {
  std::lock_guard lock(mutex_);
  for (auto& [address, peer] : peers_) {
    if (peer.queue.empty()) continue;
    if (!peer.ready) {
      work->wanted.push_back(address);
      continue;
    }
    for (Message& message : peer.queue) {
      work->frames.push_back({address,
                              {.kind = FrameKind::kData, .checksum = message.checksum},
                              std::move(message.bytes)});
    }
    peer.queue.clear();
  }
}

}  // namespace millrace::worker
