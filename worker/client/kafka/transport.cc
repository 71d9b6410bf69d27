#include "worker/client/kafka/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "crds/base/text.h"
#include "worker/client/kafka/tls_context.h"
#include "worker/client/tcp.h"

namespace millrace::worker {
namespace {

void SetOption(int fd, int level, int name, int value) {
  // A refused option costs speed only.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

void SetOptions(int fd, const KafkaSettings& settings) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, settings.no_delay ? 1 : 0);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, settings.keep_alive ? 1 : 0);
  if (settings.receive_buffer_bytes > 0)
    SetOption(fd, SOL_SOCKET, SO_RCVBUF, settings.receive_buffer_bytes);
  if (settings.send_buffer_bytes > 0)
    SetOption(fd, SOL_SOCKET, SO_SNDBUF, settings.send_buffer_bytes);
}

}  // namespace

Result<BrokerAddress> ParseBrokerAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  const Status wrong =
      InvalidError("the broker address \"" + Excerpt(text) + "\" is not host:port");
  if (colon == std::string_view::npos || colon == 0) return wrong;
  BrokerAddress address;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  address.host = host;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || stopped != end || address.port < 1 || address.port > 65535 ||
      host.empty())
    return wrong;
  return address;
}

Result<std::unique_ptr<Transport>> Transport::Connect(const BrokerAddress& address,
                                                      const TlsFiles* tls,
                                                      const KafkaSettings& settings, Clock* clock,
                                                      const CallLimit& limit) {
  const Duration timeout = std::min(settings.connect_timeout, limit.end - clock->Monotonic());
  ASSIGN_OR_RETURN(UniqueFd fd, ConnectTcp(address.host, address.port, timeout, limit.stop));
  SetOptions(fd.get(), settings);
  std::unique_ptr<Transport> transport(new Transport(address, std::move(fd), clock));
  if (tls != nullptr) {
    const CallLimit handshake{std::min(limit.end, clock->Monotonic() + settings.connect_timeout),
                              limit.stop};
    RETURN_IF_ERROR(transport->StartTls(*tls, handshake));
  }
  return transport;
}

Status Transport::StartTls(const TlsFiles& files, const CallLimit& limit) {
  ASSIGN_OR_RETURN(const SslContext context, MakeSslContext(files));
  ASSIGN_OR_RETURN(SSL * ssl,
                   MakeSsl(context, files.server_name.empty() ? address_.host : files.server_name));
  ssl_.reset(ssl);
  RETURN_IF_ERROR(AttachSocket(ssl, fd_.get()));
  while (true) {
    ClearSslErrors();
    const int result = SSL_connect(ssl);
    if (result == 1) return OkStatus();
    const int error = SSL_get_error(ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      RETURN_IF_ERROR(Wait(error == SSL_ERROR_WANT_WRITE, limit));
    } else {
      return DescribeHandshakeFailure(ssl, error).WithContext("TLS with " + address_.text());
    }
  }
}

Status Transport::Wait(bool for_write, const CallLimit& limit) {
  const Duration left = std::max(limit.end - clock_->Monotonic(), Duration(0));
  if (for_write ? WaitWritable(fd_.get(), left, limit.stop)
                : WaitReadable(fd_.get(), left, limit.stop)) {
    return OkStatus();
  }
  if (limit.stop.stop_requested()) return AbortedError("stopped");
  return UnavailableError(address_.text() + " does not answer in time");
}

Status Transport::TlsFailure(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  return DescribeSslFailure(error).WithContext("TLS with " + address_.text());
}

Result<size_t> Transport::WriteSome(std::string_view bytes, const CallLimit& limit) {
  if (ssl_ != nullptr) {
    ClearSslErrors();
    size_t written = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
    if (result == 1) return written;
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return TlsFailure(result);
    RETURN_IF_ERROR(Wait(error == SSL_ERROR_WANT_WRITE, limit));
    return size_t{0};
  }
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EINTR) return size_t{0};
  if (errno != EAGAIN)
    return UnavailableError("send to " + address_.text() + ": " + std::strerror(errno));
  RETURN_IF_ERROR(Wait(true, limit));
  return size_t{0};
}

Status Transport::Write(std::string_view bytes, const CallLimit& limit) {
  while (!bytes.empty()) {
    ASSIGN_OR_RETURN(const size_t written, WriteSome(bytes, limit));
    bytes.remove_prefix(written);
  }
  return OkStatus();
}

Result<size_t> Transport::ReadSome(char* to, size_t size, const CallLimit& limit, bool* closed) {
  const auto end_of_connection = [&]() -> Status {
    if (closed != nullptr) *closed = true;
    return UnavailableError(address_.text() + " closed the connection");
  };
  if (ssl_ != nullptr) {
    ClearSslErrors();
    size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), to, size, &got);
    if (result == 1) return got;
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_ZERO_RETURN || IsUnexpectedEnd(error)) return end_of_connection();
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return TlsFailure(result);
    RETURN_IF_ERROR(Wait(error == SSL_ERROR_WANT_WRITE, limit));
    return size_t{0};
  }
  const ssize_t got = ::recv(fd_.get(), to, size, 0);
  if (got > 0) return static_cast<size_t>(got);
  if (got == 0 || errno == ECONNRESET || errno == EPIPE) return end_of_connection();
  if (errno == EINTR) return size_t{0};
  if (errno != EAGAIN)
    return UnavailableError("receive from " + address_.text() + ": " + std::strerror(errno));
  RETURN_IF_ERROR(Wait(false, limit));
  return size_t{0};
}

Status Transport::Read(char* to, size_t size, const CallLimit& limit, bool* closed) {
  while (size > 0) {
    ASSIGN_OR_RETURN(const size_t got, ReadSome(to, size, limit, closed));
    to += got;
    size -= got;
  }
  return OkStatus();
}

Result<size_t> Transport::ReadUpTo(char* to, size_t size, const CallLimit& limit, bool* closed) {
  while (true) {
    ASSIGN_OR_RETURN(const size_t got, ReadSome(to, size, limit, closed));
    if (got > 0) return got;
  }
}

bool Transport::stale() const {
  pollfd entry{fd_.get(), POLLIN, 0};
  if (::poll(&entry, 1, 0) == 0) return ssl_ != nullptr && SSL_pending(ssl_.get()) > 0;
  // Session tickets of TLS 1.3 make a healthy connection readable; without data behind them it
  // would block.
  if (ssl_ == nullptr) return true;
  char byte;
  const int result = SSL_peek(ssl_.get(), &byte, 1);
  return result > 0 || SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ;
}

}  // namespace millrace::worker
