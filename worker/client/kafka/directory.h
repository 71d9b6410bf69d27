#pragma once

#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "worker/client/kafka/connection_pool.h"
#include "worker/client/kafka/messages.h"

namespace millrace::worker {

// Who leads a partition, as far as is known.
struct PartitionLeader {
  BrokerAddress address;
  int broker = -1;
  int epoch = -1;
  TopicId topic{};
};

// What is known of a cluster's brokers and topics, asked for when missing, too old or forgotten.
// Thread-safe; no lock is held while asking. Errors: kUnavailable when no broker answers, naming
// the last failure; kInvalid for what every try would meet.
class Directory {
 public:
  Directory(std::vector<BrokerAddress> bootstrap, ConnectionPool* pool,
            const KafkaSettings& settings, Clock* clock)
      : bootstrap_(std::move(bootstrap)), pool_(pool), settings_(settings), clock_(clock) {}

  // Asks one broker after the other, each once. All topics when `topics` is empty.
  Result<MetadataResponse> Ask(const std::vector<std::string>& topics, const CallLimit& limit);
  // kNotFound when the topic or the partition is not there; kUnavailable when it has no leader.
  Result<PartitionLeader> Leader(const std::string& topic, int partition, const CallLimit& limit);
  // Where a broker listens; kUnavailable for an unknown one.
  Result<BrokerAddress> Address(int broker) const;
  // The next Leader asks again.
  void Forget(const std::string& topic);

 private:
  struct Known {
    MetadataResponse::Topic topic;
    MonotonicTime since;
  };

  std::vector<BrokerAddress> Candidates();
  void Learn(const MetadataResponse& response);
  bool Find(const std::string& topic, MetadataResponse::Topic* found) const;
  Result<PartitionLeader> Leader(const MetadataResponse::Topic& topic, int partition) const;

  const std::vector<BrokerAddress> bootstrap_;
  ConnectionPool* pool_;
  const KafkaSettings& settings_;
  Clock* clock_;
  mutable std::mutex mutex_;
  std::map<int, BrokerAddress> brokers_;  // guarded by mutex_, as is the rest
  std::map<std::string, Known> topics_;
  size_t turn_ = 0;  // spreads the questions over the brokers
};

}  // namespace millrace::worker
