#include "tests/redis/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string_view>

#include "crds/base/status.h"
#include "worker/client/tcp.h"

namespace millrace::worker {
namespace {

constexpr Duration kStep = std::chrono::milliseconds(20);
constexpr Duration kConnectLimit = std::chrono::seconds(5);

bool SendAll(int fd, std::string_view bytes, const std::stop_token& stop) {
  while (!bytes.empty() && !stop.stop_requested()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (!WaitWritable(fd, kConnectLimit, stop)) {
      return false;
    }
  }
  return bytes.empty();
}

}  // namespace

TcpProxy::TcpProxy(int server_port)
    : server_port_(server_port), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(::listen(listener_.get(), 16) == 0);
  CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { Accept(stop); });
}

TcpProxy::~TcpProxy() {
  thread_.request_stop();
  thread_.join();
  connections_.clear();  // each is told to stop and joined
}

void TcpProxy::Accept(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!WaitReadable(listener_.get(), kStep, stop)) continue;
    const int fd = ::accept(listener_.get(), nullptr, nullptr);
    if (fd < 0) continue;
    connections_.emplace_back([this](const std::stop_token& its_stop,
                                     UniqueFd client) { Serve(std::move(client), its_stop); },
                              UniqueFd(fd));
  }
}

void TcpProxy::Serve(UniqueFd client, const std::stop_token& stop) {
  const Result<UniqueFd> server = ConnectTcp("127.0.0.1", server_port_, kConnectLimit, stop);
  if (!server.ok()) return;
  char bytes[16 << 10];
  bool cut = false;
  while (!stop.stop_requested()) {
    pollfd both[] = {{client.get(), POLLIN, 0}, {server->get(), POLLIN, 0}};
    if (::poll(both, 2, static_cast<int>(kStep.count() / 1000)) <= 0) continue;
    if (both[0].revents != 0) {
      const ssize_t got = ::recv(client.get(), bytes, sizeof bytes, MSG_DONTWAIT);
      if (got <= 0) return;
      cut = cut_after_request_.exchange(false);
      if (!SendAll(server->get(), {bytes, static_cast<size_t>(got)}, stop)) return;
    }
    if (both[1].revents != 0) {
      const ssize_t got = ::recv(server->get(), bytes, sizeof bytes, MSG_DONTWAIT);
      if (got <= 0 || cut) return;
      if (hold_replies_) continue;
      if (!SendAll(client.get(), {bytes, static_cast<size_t>(got)}, stop)) return;
    }
  }
}

}  // namespace millrace::worker
