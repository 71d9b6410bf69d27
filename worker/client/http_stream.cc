#include "worker/client/http_stream.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>

#include "worker/client/tcp.h"

namespace millrace::worker {
namespace {

Duration Until(MonotonicTime deadline) {
  return std::chrono::duration_cast<Duration>(deadline - std::chrono::steady_clock::now());
}

}  // namespace

bool HttpStream::is_readable() const {
  if (!unread_.empty() || (ssl_ != nullptr && SSL_pending(ssl_) > 0)) return true;
  const Duration left = Until(intake_->deadline);
  return left > Duration::zero() && WaitReadable(fd_, std::min(left, timeout_), {});
}

bool HttpStream::is_writable() const { return WaitWritable(fd_, timeout_, {}); }

ssize_t HttpStream::Receive() {
  while (is_readable()) {
    if (ssl_ == nullptr) {
      const ssize_t count = recv(fd_, buffer_.data(), buffer_.size(), 0);
      if (count >= 0 || errno != EINTR) return count;
    } else {
      const int count = SSL_read(ssl_, buffer_.data(), static_cast<int>(buffer_.size()));
      if (count > 0 || SSL_get_error(ssl_, count) != SSL_ERROR_WANT_READ) return count;
    }
  }
  intake_->timed_out = true;
  return -1;
}

ssize_t HttpStream::read(char* data, size_t size) {
  if (unread_.empty()) {
    intake_->overrun = intake_->left == 0;
    const ssize_t count = intake_->overrun ? -1 : Receive();
    if (count <= 0) return count;
    unread_ = {buffer_.data(), static_cast<size_t>(count)};
    intake_->left -= std::min(intake_->left, unread_.size());
  }
  const size_t taken = std::min(size, unread_.size());
  std::memcpy(data, unread_.data(), taken);
  unread_.remove_prefix(taken);
  return static_cast<ssize_t>(taken);
}

ssize_t HttpStream::write(const char* data, size_t size) {
  if (!is_writable()) return -1;
  if (ssl_ != nullptr)
    return SSL_write(ssl_, data, static_cast<int>(std::min<size_t>(size, INT_MAX)));
  ssize_t count = -1;
  do {
    count = send(fd_, data, size, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count;
}

void HttpStream::get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const {}
void HttpStream::get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const {}

}  // namespace millrace::worker
