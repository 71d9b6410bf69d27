#include "worker/client/tcp.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace millrace::worker {
namespace {

constexpr Duration kStopCheck = std::chrono::milliseconds(100);

// Polls for `events` in short steps; false when time is up or stop was requested.
bool WaitFor(int fd, short events, Duration timeout, const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!stop.stop_requested()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() < 0) return false;
    const auto step = std::min<int64_t>(left.count(), kStopCheck / std::chrono::milliseconds(1));
    pollfd entry{fd, events, 0};
    if (::poll(&entry, 1, static_cast<int>(step)) > 0) return true;
    if (step == 0) return false;
  }
  return false;
}

Result<UniqueFd> ConnectOne(const addrinfo& address, Duration timeout,
                            const std::stop_token& stop) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError("create socket", errno);
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS) return UnavailableError(std::strerror(errno));
  if (!WaitFor(fd.get(), POLLOUT, timeout, stop)) {
    if (stop.stop_requested()) return AbortedError("stopped");
    return UnavailableError("no answer in time");
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return UnavailableError(std::strerror(error));
  return fd;
}

}  // namespace

Result<UniqueFd> ConnectTcp(const std::string& host, int port, Duration timeout,
                            const std::stop_token& stop) {
  const std::string context = "connect to " + host + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
      code != 0) {
    return UnavailableError(context + ": " + ::gai_strerror(code));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  Status last = UnavailableError("no address");
  for (const addrinfo* address = list; address != nullptr; address = address->ai_next) {
    Result<UniqueFd> fd = ConnectOne(*address, timeout, stop);
    if (fd.ok() || fd.status().code() == StatusCode::kAborted) return fd;
    last = fd.status();
  }
  return last.WithContext(context);
}

bool WaitReadable(int fd, Duration timeout, const std::stop_token& stop) {
  return WaitFor(fd, POLLIN, timeout, stop);
}

bool WaitWritable(int fd, Duration timeout, const std::stop_token& stop) {
  return WaitFor(fd, POLLOUT, timeout, stop);
}

}  // namespace millrace::worker
