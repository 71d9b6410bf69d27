#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/transport.h"
#include "worker/client/redis/connection.h"
#include "worker/client/redis/redis.h"

namespace millrace::worker {

// Which server holds a slot. Keeps what it learnt until it is told to forget. Thread-compatible.
class RedisTopology {
 public:
  virtual ~RedisTopology() = default;
  // The server of `slot`; -1: any that can answer. Blocks. kUnavailable when nobody knows it now.
  virtual Result<BrokerAddress> Find(int slot, const std::stop_token& stop) = 0;
  // A server said that `slot` has moved to `address`.
  virtual void Learn(int slot, const BrokerAddress& address) = 0;
  // What is known is out of date.
  virtual void Forget() = 0;
  virtual RedisRole role() const = 0;
  virtual bool is_cluster() const { return false; }
};

// `settings` and `clock` outlive the result. Does not connect. Requires: mode is not kDetect.
std::unique_ptr<RedisTopology> MakeStandaloneTopology(const BrokerAddress& address);
std::unique_ptr<RedisTopology> MakeSentinelTopology(const RedisSettings& settings, Clock* clock);
std::unique_ptr<RedisTopology> MakeClusterTopology(const RedisSettings& settings, Clock* clock);

}  // namespace millrace::worker
