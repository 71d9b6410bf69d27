#pragma once

// The layout of httplib's classes depends on macros that must match the installed library (its
// pkg-config file sets them).
#include <httplib.h>

#include <array>
#include <string>
#include <string_view>

#include "crds/base/clock.h"

#ifndef CPPHTTPLIB_OPENSSL_SUPPORT
#error "cpp-httplib must be built with OpenSSL"
#endif

namespace millrace::worker {

// What a peer may send, and until when, before it gets on: a head, or chunk sizes between two
// pieces of a body. The reader of a body refills it with every piece. httplib itself limits neither
// lines nor their number. A plain value; for one exchange of one thread.
struct HttpIntake {
  static constexpr size_t kMaxBytes = 256 << 10;

  MonotonicTime deadline;
  size_t left = kMaxBytes;
  bool overrun = false;    // more came than that
  bool timed_out = false;  // a read waited in vain

  void Refill() { left = kMaxBytes; }
};

// A connected socket as httplib reads and writes it, plain or under TLS. A read fails when `intake`
// has nothing left or its deadline passes; a write when the peer takes nothing for `timeout`. Bytes
// behind a message stay for the next one on the same stream. Thread-compatible. Owns neither the
// socket, nor the TLS connection (null: none), nor the intake; all outlive it.
class HttpStream final : public httplib::Stream {
 public:
  HttpStream(int fd, ssl_st* ssl, Duration timeout, HttpIntake* intake)
      : fd_(fd), ssl_(ssl), timeout_(timeout), intake_(intake) {}

  bool has_unread() const { return !unread_.empty(); }

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  socket_t socket() const override { return fd_; }
  // Leave both as they are: nobody here asks who the peer is.
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;

 private:
  ssize_t Receive();

  int fd_;
  ssl_st* ssl_;
  Duration timeout_;
  HttpIntake* intake_;
  std::array<char, 16 << 10> buffer_;
  std::string_view unread_;  // of buffer_
};

}  // namespace millrace::worker
