#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/peer/shared_bytes.h"

namespace millrace::worker {

// Keys of CURVE (RFC 26), printable; the same pair on both sides of a connection, since whoever has
// the secret has both.
struct CurveKeys {
  std::string public_key;
  std::string secret_key;
};
// The pair that belongs to a secret: the private key is HMAC-SHA256(secret, "millrace curve 1").
CurveKeys MakeCurveKeys(const std::string& secret);

// A ZeroMQ context with its I/O thread. Thread-safe; outlives its sockets.
class ZmqContext {
 public:
  ZmqContext();
  void* get() const { return handle_.get(); }

 private:
  struct Terminate {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Terminate> handle_;
};

// One ROUTER (listens, many connections) or DEALER (one connection) socket. No call blocks;
// large messages are handed over without copying. For one thread at a time. Closing drops what was
// not sent.
class ZmqSocket {
 public:
  enum class Kind { kRouter, kDealer };
  struct Options {
    std::optional<CurveKeys> keys;  // encrypt
    size_t max_part_bytes = 0;      // larger ones close the connection
    int max_received_parts = 0;     // queued per connection; then TCP holds up the sender
  };

  static Result<ZmqSocket> Open(const ZmqContext& context, Kind kind, const Options& options);
  // `port` 0: a free one. Returns the port.
  Result<int> Bind(const std::string& host, int port);
  Status Connect(const std::string& address);
  // One message. False when the connection is gone or its queue is full.
  bool Send(const std::vector<SharedBytes>& parts);
  // One message; false when there is none.
  bool Receive(std::vector<SharedBytes>* parts);
  void* get() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(void* socket) const;
  };
  explicit ZmqSocket(void* handle) : handle_(handle) {}

  std::unique_ptr<void, Close> handle_;
};

// Waits until a socket has a message, `wake_fd` can be read or `timeout` is over.
// Returns the sockets with messages, by index.
std::vector<size_t> PollSockets(const std::vector<void*>& sockets, int wake_fd, Duration timeout);

}  // namespace millrace::worker
