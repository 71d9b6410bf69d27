#include "worker/source/socket/socket_source.h"

#include <sys/socket.h>

#include <cerrno>

#include "crds/base/log.h"
#include "worker/client/tcp.h"

namespace millrace::worker {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr Duration kConnectTimeout = std::chrono::seconds(10);
constexpr Duration kPollTimeout = std::chrono::seconds(1);

}  // namespace

SocketSource::SocketSource(std::string name, const api::SocketSource& spec, Framing framing,
                           const SourceOptions& options)
    : PushSource(std::move(name), options), spec_(spec), framing_(framing) {}

Status SocketSource::Begin() {
  thread_ = std::jthread([this](std::stop_token stop) { Run(std::move(stop)); });
  return OkStatus();
}

void SocketSource::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void SocketSource::Run(std::stop_token stop) {
  const std::string peer = spec_.host + ":" + std::to_string(spec_.port);
  while (!stop.stop_requested() && log().status().ok()) {
    Result<UniqueFd> socket = ConnectTcp(spec_.host, spec_.port, kConnectTimeout, stop);
    Status status = socket.status();
    if (status.ok()) {
      Log(LogLevel::kInfo, "source connected", {{"source", name()}, {"peer", peer}});
      status = ReadAll(socket->get(), stop);
    }
    if (stop.stop_requested()) return;
    Log(LogLevel::kWarn, "source reconnects",
        {{"source", name()}, {"peer", peer}, {"error", status.message()}});
    clock()->SleepFor(spec_.reconnect_delay, stop);
  }
}

Status SocketSource::ReadAll(int socket, const std::stop_token& stop) {
  LineBuffer lines(framing_);
  std::vector<std::string_view> records;
  while (log().WaitForSpace(stop)) {
    if (!WaitReadable(socket, kPollTimeout, stop)) {
      if (stop.stop_requested()) break;
      continue;
    }
    const ssize_t n = ::recv(socket, lines.Reserve(kReadBytes), kReadBytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < 0) return ErrnoError("receive", errno);
    RETURN_IF_ERROR(lines.Commit(static_cast<size_t>(n), n == 0, &records));
    RETURN_IF_ERROR(Store(records, stop));
    if (n == 0) return UnavailableError("the peer closed the connection");
  }
  return AbortedError("stopped");
}

Status SocketSource::Store(const std::vector<std::string_view>& records,
                           const std::stop_token& stop) {
  Status status = log().Append(records);
  while (status.code() == StatusCode::kUnavailable && log().WaitForSpace(stop)) {
    status = log().Append(records);
  }
  return status;
}

}  // namespace millrace::worker
