#include "worker/client/peer/data_traffic.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {
namespace {

constexpr size_t kFrameOverhead = 256;  // so that empty frames are bounded too
constexpr size_t kAcksPerWindow = 8;

}  // namespace

bool DataTraffic::Holds(const Peer& peer) {
  return std::any_of(peer.streams.begin(), peer.streams.end(),
                     [](const OutStream& stream) { return !stream.kept.empty(); });
}

// Begins a new session with whoever is at the address.
void DataTraffic::Renew(Peer* peer) {
  peer->session = next_session_++;
  peer->process = 0;
  peer->ready = false;
  peer->streams = {};
}

void DataTraffic::Break(const std::string& address, Peer* peer, const std::string& why) {
  if (Holds(*peer) && peer->error.ok()) {
    counts_.broken.fetch_add(1);
    peer->error = UnavailableError("data for peer " + address + " is lost: " + why);
  }
  Renew(peer);
  room_.notify_all();
}

Status DataTraffic::Send(const std::string& address, int stream, std::string bytes,
                         const std::stop_token& stop) {
  Kept kept{PayloadChecksum(bytes), SharedBytes(std::move(bytes))};
  const size_t cost = kept.bytes.size() + kFrameOverhead;
  {
    std::unique_lock lock(mutex_);
    Peer& peer = peers_[address];  // never erased
    OutStream& out = peer.streams[stream];
    const uint64_t resets = peer.resets;
    const auto may_go = [&] {
      return !peer.error.ok() || peer.resets != resets || out.kept.empty() ||
             out.kept_bytes + cost <= window_bytes_;
    };
    if (!may_go() && !AwaitRoom(&lock, may_go, stop)) {
      return AbortedError("stopped while peer " + address + " did not take data");
    }
    if (peer.resets != resets) return AbortedError("data for peer " + address + " was given up");
    RETURN_IF_ERROR(peer.error);
    out.kept.push_back(std::move(kept));
    out.kept_bytes += cost;
  }
  wake_();
  return OkStatus();
}

bool DataTraffic::AwaitRoom(std::unique_lock<std::mutex>* lock, const std::function<bool()>& may_go,
                            const std::stop_token& stop) {
  counts_.credit_waits.fetch_add(1);
  const SystemClock clock;
  const MonotonicTime begin = clock.Monotonic();
  const bool room = room_.wait(*lock, stop, may_go);
  const auto waited = std::chrono::nanoseconds(clock.Monotonic() - begin);
  counts_.credit_wait_nanos.fetch_add(waited.count());
  return room;
}

std::optional<PeerFrame> DataTraffic::Receive(int stream, MonotonicTime deadline,
                                              const std::stop_token& stop) {
  bool wake = false;
  PeerFrame frame;
  {
    std::unique_lock lock(mutex_);
    std::deque<Arrived>& inbox = inbox_[stream];
    if (!arrived_[stream].wait_until(lock, stop, deadline, [&] { return !inbox.empty(); })) {
      return std::nullopt;
    }
    InSession& session = sessions_.at(inbox.front().session);
    frame = std::move(inbox.front().frame);
    inbox.pop_front();
    ++session.marks.consumed[stream];
    --session.queued[stream];
    session.unacked[stream] += frame.bytes.size() + kFrameOverhead;
    if (session.unacked[stream] >= window_bytes_ / kAcksPerWindow || session.queued[stream] == 0) {
      wake = !session.ack_due;
      session.ack_due = true;
    }
  }
  if (wake) wake_();
  return frame;
}

Status DataTraffic::StatusOf(const std::string& address) const {
  std::lock_guard lock(mutex_);
  const auto it = peers_.find(address);
  return it == peers_.end() ? OkStatus() : it->second.error;
}

void DataTraffic::Reset() {
  {
    std::lock_guard lock(mutex_);
    for (auto& [address, peer] : peers_) {
      // A peer that nothing was ever sent to has no session to end.
      peer.relink = peer.relink || peer.process != 0 || Holds(peer);
      Renew(&peer);
      peer.error = OkStatus();
      ++peer.resets;
    }
    room_.notify_all();
  }
  wake_();
}

uint64_t DataTraffic::Session(const std::string& address) {
  std::lock_guard lock(mutex_);
  Peer& peer = peers_[address];
  if (peer.session == 0) peer.session = next_session_++;
  return peer.session;
}

bool DataTraffic::OnReady(const std::string& address, uint64_t process, std::string_view welcome) {
  std::lock_guard lock(mutex_);
  Peer& peer = peers_[address];
  const std::optional<StreamMarks> marks = DecodeMarks(welcome);
  if (!marks || peer.relink) return false;
  bool fits = peer.process == 0 || peer.process == process;
  for (int stream = 0; stream < kPeerStreams; ++stream) {
    OutStream& out = peer.streams[stream];
    const uint64_t next = marks->received[stream];
    fits = fits && next >= out.first && next <= out.first + out.kept.size();
  }
  if (!fits) {
    Break(address, &peer, "the peer has started again");
    return false;
  }
  for (int stream = 0; stream < kPeerStreams; ++stream) {
    Release(&peer.streams[stream], marks->consumed[stream]);
    peer.streams[stream].unsent = marks->received[stream];
  }
  peer.process = process;
  peer.ready = true;
  room_.notify_all();
  return true;
}

void DataTraffic::Release(OutStream* stream, uint64_t consumed) {
  while (stream->first < consumed && !stream->kept.empty()) {
    stream->kept_bytes -= stream->kept.front().bytes.size() + kFrameOverhead;
    stream->kept.pop_front();
    ++stream->first;
  }
}

void DataTraffic::OnAck(const std::string& address, std::string_view payload) {
  const std::optional<StreamMarks> marks = DecodeMarks(payload);
  if (!marks) return;
  std::lock_guard lock(mutex_);
  Peer& peer = peers_[address];
  if (!peer.ready) return;  // of a session that was given up
  for (int stream = 0; stream < kPeerStreams; ++stream) {
    Release(&peer.streams[stream], marks->consumed[stream]);
  }
  room_.notify_all();
}

void DataTraffic::OnLost(const std::string& address, bool away) {
  std::lock_guard lock(mutex_);
  Peer& peer = peers_[address];
  if (std::exchange(peer.ready, false)) counts_.lost_connections.fetch_add(1);
  if (away) Break(address, &peer, "the peer does not answer");
}

// A new session from an address ends the one before it.
std::optional<std::string> DataTraffic::Greet(const Sender& sender) {
  std::lock_guard lock(mutex_);
  if (!sessions_.contains(sender.session)) {
    for (auto it = sessions_.begin(); it != sessions_.end();) {
      const uint64_t session = it->first;
      const Sender& other = (it++)->second.sender;
      if (other.address != sender.address) continue;
      // What was under way on a connection that the sender has closed since.
      if (other.process == sender.process && other.session > sender.session) return std::nullopt;
      Forget(session);
    }
    sessions_[sender.session].sender = sender;
  }
  return EncodeMarks(sessions_[sender.session].marks);
}

void DataTraffic::Forget(uint64_t session) {
  for (std::deque<Arrived>& inbox : inbox_) {
    std::erase_if(inbox, [&](const Arrived& arrived) { return arrived.session == session; });
  }
  sessions_.erase(session);
}

bool DataTraffic::OnFrame(const Sender& sender, const FrameHeader& header, SharedBytes payload) {
  std::lock_guard lock(mutex_);
  const auto it = sessions_.find(sender.session);
  if (it == sessions_.end()) return false;
  uint64_t& next = it->second.marks.received[header.stream];
  if (header.sequence > next) return false;
  if (header.sequence < next) {
    counts_.repeated.fetch_add(1);
    return true;
  }
  ++next;
  counts_.received_bytes.fetch_add(payload.size());
  ++it->second.queued[header.stream];
  inbox_[header.stream].push_back(
      {sender.session, {sender.address, sender.process, std::move(payload)}});
  arrived_[header.stream].notify_one();
  return true;
}

void DataTraffic::Collect(LaneWork* work) {
  std::lock_guard lock(mutex_);
  for (auto& [address, peer] : peers_) {
    if (std::exchange(peer.relink, false)) work->relink.push_back(address);
    if (!peer.ready) {
      if (Holds(peer)) work->wanted.push_back(address);
      continue;
    }
    for (int stream = 0; stream < kPeerStreams; ++stream) {
      OutStream& out = peer.streams[stream];
      for (; out.unsent < out.first + out.kept.size(); ++out.unsent) {
        const Kept& kept = out.kept[out.unsent - out.first];
        counts_.sent_bytes.fetch_add(kept.bytes.size());
        work->frames.push_back({address,
                                {.kind = FrameKind::kData,
                                 .stream = static_cast<uint8_t>(stream),
                                 .sequence = out.unsent,
                                 .checksum = kept.checksum},
                                kept.bytes});
      }
    }
  }
  for (auto& [session, in] : sessions_) {
    if (!std::exchange(in.ack_due, false)) continue;
    in.unacked = {};
    work->acks.push_back({session, EncodeMarks(in.marks)});
  }
}

}  // namespace millrace::worker
