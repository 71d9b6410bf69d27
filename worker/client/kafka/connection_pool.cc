#include "worker/client/kafka/connection_pool.h"

#include <utility>

namespace millrace::worker {

std::unique_ptr<KafkaConnection> ConnectionPool::TakeIdle(const BrokerAddress& address) {
  std::lock_guard lock(mutex_);
  std::vector<Idle>& list = idle_[address];
  if (list.empty()) return nullptr;
  Idle idle = std::move(list.back());
  list.pop_back();
  if (options_.clock->Monotonic() - idle.since <= options_.settings.max_idle)
    return std::move(idle.connection);
  list.clear();  // the others are older
  return nullptr;
}

Result<std::unique_ptr<KafkaConnection>> ConnectionPool::Take(const BrokerAddress& address,
                                                              const CallLimit& limit) {
  while (std::unique_ptr<KafkaConnection> idle = TakeIdle(address)) {
    if (idle->usable()) return idle;
  }
  return KafkaConnection::Open(address, options_, limit);
}

void ConnectionPool::Return(std::unique_ptr<KafkaConnection> connection) {
  if (connection == nullptr || !connection->usable()) return;
  const BrokerAddress address = connection->address();
  std::lock_guard lock(mutex_);
  std::vector<Idle>& list = idle_[address];
  if (list.size() < kMaxIdlePerBroker)
    list.push_back({std::move(connection), options_.clock->Monotonic()});
}

}  // namespace millrace::worker
