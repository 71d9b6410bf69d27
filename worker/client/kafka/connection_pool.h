#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "worker/client/kafka/connection.h"

namespace millrace::worker {

// Open connections that nobody uses, by broker: at most kMaxIdlePerBroker each, none older than
// connections.max.idle.ms. Thread-safe.
class ConnectionPool {
 public:
  static constexpr size_t kMaxIdlePerBroker = 16;

  explicit ConnectionPool(ConnectionOptions options) : options_(std::move(options)) {}

  // An idle connection that is still good, else a new one. Blocks; errors as KafkaConnection::Open.
  Result<std::unique_ptr<KafkaConnection>> Take(const BrokerAddress& address,
                                                const CallLimit& limit);
  // Keeps the connection unless it is of no more use.
  void Return(std::unique_ptr<KafkaConnection> connection);

 private:
  struct Idle {
    std::unique_ptr<KafkaConnection> connection;
    MonotonicTime since;
  };

  std::unique_ptr<KafkaConnection> TakeIdle(const BrokerAddress& address);

  ConnectionOptions options_;
  std::mutex mutex_;
  std::map<BrokerAddress, std::vector<Idle>> idle_;  // guarded by mutex_
};

}  // namespace millrace::worker
