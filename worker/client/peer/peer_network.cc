#include "worker/client/peer/peer_network.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "worker/client/peer/control_traffic.h"
#include "worker/client/peer/data_traffic.h"
#include "worker/client/peer/lane.h"

namespace millrace::worker {
namespace {

constexpr size_t kMinPartBytes = 64 << 10;  // room for the handshake
constexpr int kPortAttempts = 64;
constexpr int kReceivedParts = 64;  // per connection in ZeroMQ, over what the windows allow

struct Ports {
  BoundSocket control;
  BoundSocket data;
};

// Control at a port and data at the next one.
Result<Ports> BindPorts(const PeerOptions& options, const ZmqSocket::Options& socket) {
  const std::string host = options.listen_host.empty() ? options.host : options.listen_host;
  Status status;
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    ASSIGN_OR_RETURN(BoundSocket control, Lane::Bind(socket, host, options.port));
    Result<BoundSocket> data = Lane::Bind(socket, host, control.port + 1);
    if (data.ok()) return Ports{std::move(control), std::move(data).value()};
    status = data.status();
    if (options.port != 0 || status.code() != StatusCode::kAlreadyExists) break;
  }
  return status;
}

Status Check(const PeerOptions& options) {
  if (options.host.empty()) return InvalidError("peer network: a host is needed");
  if (options.secret.empty()) return InvalidError("peer network: the job needs a secret");
  if (options.port < 0 || options.port > 65534) {
    return InvalidError("peer network: port " + std::to_string(options.port) +
                        " is not in 0..65534");
  }
  if (options.max_frame_bytes > std::numeric_limits<uint32_t>::max()) {
    return InvalidError("peer network: frames are limited to 4 GiB");
  }
  return OkStatus();
}

}  // namespace

struct PeerNetwork::Parts {
  explicit Parts(const PeerOptions& options)
      : max_frame_bytes(options.max_frame_bytes),
        control(options.max_queued_bytes_per_peer),
        data(options.max_queued_bytes_per_peer, [this] { data_lane->Wake(); }) {}

  size_t max_frame_bytes;
  std::string address;
  uint64_t process = 0;
  ControlTraffic control;
  DataTraffic data;
  std::unique_ptr<Lane> control_lane;
  std::unique_ptr<Lane> data_lane;
};

PeerNetwork::PeerNetwork(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PeerNetwork::~PeerNetwork() = default;

Result<std::unique_ptr<PeerNetwork>> PeerNetwork::Start(PeerOptions options) {
  RETURN_IF_ERROR(Check(options));
  ZmqSocket::Options socket{.max_part_bytes = std::max(options.max_frame_bytes, kMinPartBytes),
                            .max_received_parts = kReceivedParts};
  if (options.encrypt) socket.keys = MakeCurveKeys(options.secret);
  ASSIGN_OR_RETURN(Ports ports, BindPorts(options, socket));
  auto parts = std::make_unique<Parts>(options);
  parts->address = options.host + ":" + std::to_string(ports.control.port);
  parts->process = RandomId();
  LaneIdentity identity{
      "control", parts->address, parts->process, options.secret, socket, options.peer_timeout, 0};
  ASSIGN_OR_RETURN(parts->control_lane,
                   Lane::Start(std::move(ports.control), identity, &parts->control));
  identity.name = "data";
  identity.port_offset = 1;
  ASSIGN_OR_RETURN(parts->data_lane, Lane::Start(std::move(ports.data), identity, &parts->data));
  return std::unique_ptr<PeerNetwork>(new PeerNetwork(std::move(parts)));
}

const std::string& PeerNetwork::address() const { return parts_->address; }
uint64_t PeerNetwork::process() const { return parts_->process; }

Status PeerNetwork::SendControl(const std::string& address, std::string bytes) {
  if (bytes.size() > parts_->max_frame_bytes) {
    return InvalidError("message of " + std::to_string(bytes.size()) + " bytes for peer " +
                        address + " is above the limit of " +
                        std::to_string(parts_->max_frame_bytes));
  }
  if (parts_->control.Send(address, std::move(bytes))) parts_->control_lane->Wake();
  return OkStatus();
}

std::optional<PeerFrame> PeerNetwork::ReceiveControl(MonotonicTime deadline,
                                                     const std::stop_token& stop) {
  return parts_->control.Receive(deadline, stop);
}

Status PeerNetwork::SendData(const std::string& address, int stream, std::string bytes,
                             const std::stop_token& stop) {
  CHECK(stream >= 0 && stream < kStreams);
  if (bytes.size() > parts_->max_frame_bytes) {
    return InvalidError("frame of " + std::to_string(bytes.size()) + " bytes for peer " + address +
                        " is above the limit of " + std::to_string(parts_->max_frame_bytes));
  }
  return parts_->data.Send(address, stream, std::move(bytes), stop);
}

std::optional<PeerFrame> PeerNetwork::ReceiveData(int stream, MonotonicTime deadline,
                                                  const std::stop_token& stop) {
  CHECK(stream >= 0 && stream < kStreams);
  return parts_->data.Receive(stream, deadline, stop);
}

Status PeerNetwork::StreamStatus(const std::string& address) const {
  return parts_->data.StatusOf(address);
}

void PeerNetwork::ResetData() { parts_->data.Reset(); }

PeerStats PeerNetwork::stats() const {
  const LaneCounts& control = parts_->control_lane->counts();
  const LaneCounts& data = parts_->data_lane->counts();
  const DataTraffic::Counts& counts = parts_->data.counts();
  PeerStats stats;
  stats.refused_connections = control.refused_connections + data.refused_connections;
  stats.dropped_frames = control.dropped_frames + data.dropped_frames + counts.repeated;
  stats.dropped_messages = parts_->control.dropped();
  stats.broken_streams = counts.broken;
  stats.lost_connections = counts.lost_connections;
  stats.sent_bytes = counts.sent_bytes;
  stats.received_bytes = counts.received_bytes;
  stats.credit_waits = counts.credit_waits;
  stats.credit_wait =
      std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(counts.credit_wait_nanos));
  return stats;
}

}  // namespace millrace::worker
