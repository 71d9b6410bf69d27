#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/transport.h"
#include "worker/client/redis/redis.h"
#include "worker/client/redis/resp.h"

namespace millrace::worker {

// What a new connection has to be good for.
enum class RedisRole : uint8_t {
  kMaster,    // a server that takes writes; signs in and selects the database
  kAnyNode,   // a node of a Cluster: signs in only
  kSentinel,  // signs in where the Sentinel asks for it
};

// One connection to one server, signed in. Requests are sent and their replies received in order.
// After any failure it is of no further use. Thread-compatible. Every wait ends after the
// settings' command_timeout of silence, or when stop is requested (kAborted). Errors of Open:
// kUnavailable for a server that is not there, still loading or no master; kInvalid for TLS and
// login (`denied`). A lost connection is kUnavailable, whether or not the server executed what was
// sent: its owner knows.
class RedisConnection {
 public:
  // `denied` (may be null) tells a refused login, or a Secret that cannot be read, from other
  // errors.
  static Result<std::unique_ptr<RedisConnection>> Open(const BrokerAddress& address,
                                                       const RedisSettings& settings,
                                                       RedisRole role, Clock* clock,
                                                       const std::stop_token& stop,
                                                       bool* denied = nullptr);

  // True when the server has closed it, or sent what nobody asked for.
  bool stale() const { return broken_ || transport_->stale(); }
  // Sends requests whose replies Receive then gives.
  Status Send(std::string_view requests, const std::stop_token& stop);
  Status Receive(RedisReply* reply, const std::stop_token& stop);
  // One request and its reply, which may be an error.
  Result<RedisReply> Call(std::span<const std::string_view> args, const std::stop_token& stop);
  const BrokerAddress& address() const { return transport_->address(); }

 private:
  RedisConnection(std::unique_ptr<Transport> transport, const RedisSettings& settings,
                  Clock* clock);
  Status SignIn(const RedisSettings& settings, const std::stop_token& stop, bool* denied);
  Status CheckServer(const RedisSettings& settings, RedisRole role, const std::stop_token& stop,
                     bool* denied);
  Status CheckRole(const RedisReply& reply) const;
  CallLimit Limit(const std::stop_token& stop) const;
  Status ReceiveReply(RedisReply* reply, const std::stop_token& stop);

  std::unique_ptr<Transport> transport_;
  Duration timeout_;
  Clock* clock_;
  ReplyReader reader_;
  std::string buffer_;
  bool broken_ = false;
};

}  // namespace millrace::worker
