#include "worker/client/peer/lane.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

namespace millrace::worker {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(20);  // while a connection is being made
constexpr Duration kIdleTick = std::chrono::milliseconds(200);

MonotonicTime Now() { return SystemClock().Monotonic(); }

}  // namespace

Result<BoundSocket> Lane::Bind(const ZmqSocket::Options& options, const std::string& host,
                               int port) {
  auto context = std::make_unique<ZmqContext>();
  ASSIGN_OR_RETURN(ZmqSocket socket, ZmqSocket::Open(*context, ZmqSocket::Kind::kRouter, options));
  ASSIGN_OR_RETURN(const int bound, socket.Bind(host, port));
  return BoundSocket{std::move(context), std::move(socket), bound};
}

Result<std::unique_ptr<Lane>> Lane::Start(BoundSocket bound, LaneIdentity identity,
                                          LaneTraffic* traffic) {
  UniqueFd wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (wake.get() < 0) return ErrnoError("make an eventfd", errno);
  return std::unique_ptr<Lane>(
      new Lane(std::move(bound), std::move(identity), traffic, std::move(wake)));
}

Lane::Lane(BoundSocket bound, LaneIdentity identity, LaneTraffic* traffic, UniqueFd wake)
    : identity_(std::move(identity)),
      traffic_(traffic),
      wake_(std::move(wake)),
      context_(std::move(bound.context)),
      door_(std::move(bound.socket), identity_, traffic_, &counts_),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Lane::~Lane() {
  thread_.request_stop();
  Wake();
  thread_.join();
}

void Lane::Wake() {
  if (woken_.exchange(true)) return;
  const uint64_t one = 1;
  // Fails only where the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Lane::Run(const std::stop_token& stop) {
  MonotonicTime ticked = Now();
  while (!stop.stop_requested()) {
    const MonotonicTime now = Now();
    SendOut(now);
    if (now - ticked >= kTick) {
      ticked = now;
      Tick(now);
    }
    TakeIn();
  }
  links_.clear();
}

void Lane::SendOut(MonotonicTime now) {
  traffic_->Collect(&work_);
  for (const std::string& address : work_.wanted) LinkTo(address, now);
  for (const std::string& address : work_.relink) LinkTo(address, now).Relink(now);
  for (LaneWork::Frame& frame : work_.frames) {
    // A frame for a link that was lost meanwhile is the traffic's to send again.
    PeerLink& link = LinkTo(frame.address, now);
    if (link.ready()) link.Send(frame.header, frame.payload);
  }
  for (const LaneWork::Ack& ack : work_.acks) door_.SendAck(ack);
  work_ = {};
}

PeerLink& Lane::LinkTo(const std::string& address, MonotonicTime now) {
  std::unique_ptr<PeerLink>& link = links_[address];
  if (link == nullptr) {
    link = std::make_unique<PeerLink>(address, identity_, *context_, traffic_, &counts_, now);
    link->Tick(now);
  }
  return *link;
}

void Lane::Tick(MonotonicTime now) {
  door_.Tick(now);
  for (auto it = links_.begin(); it != links_.end();) {
    it->second->Tick(now);
    it = it->second->away() ? links_.erase(it) : std::next(it);
  }
}

// Waits for the next thing to do and takes what came.
void Lane::TakeIn() {
  std::vector<void*> sockets{door_.socket()};
  std::vector<PeerLink*> links{nullptr};
  Duration tick = kIdleTick;
  for (const auto& [address, link] : links_) {
    if (!link->ready()) tick = kTick;
    if (link->socket() == nullptr) continue;
    sockets.push_back(link->socket());
    links.push_back(link.get());
  }
  const std::vector<size_t> ready = PollSockets(sockets, wake_.get(), tick);
  ClearWake();
  const MonotonicTime now = Now();
  for (const size_t i : ready) {
    if (i == 0) {
      door_.Drain(now);
    } else {
      links[i]->Drain(now);
    }
  }
}

// Before the traffic is asked, so that what comes meanwhile wakes the thread again.
void Lane::ClearWake() {
  if (!woken_.load()) return;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = read(wake_.get(), &count, sizeof count);
  woken_.store(false);
}

}  // namespace millrace::worker
