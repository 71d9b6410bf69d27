#include "worker/client/kafka/directory.h"

#include <algorithm>
#include <utility>

#include "worker/client/kafka/error_code.h"

namespace millrace::worker {

std::vector<BrokerAddress> Directory::Candidates() {
  std::vector<BrokerAddress> list;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, address] : brokers_) list.push_back(address);
    if (!list.empty()) {
      std::rotate(list.begin(), list.begin() + static_cast<ptrdiff_t>(turn_++ % list.size()),
                  list.end());
    }
  }
  for (const BrokerAddress& address : bootstrap_) {
    if (std::find(list.begin(), list.end(), address) == list.end()) list.push_back(address);
  }
  return list;
}

Result<MetadataResponse> Directory::Ask(const std::vector<std::string>& topics,
                                        const CallLimit& limit) {
  const std::string request = EncodeMetadata(topics);
  const std::vector<BrokerAddress> candidates = Candidates();
  Status last = UnavailableError("no broker to ask");
  const auto ask = [&](const BrokerAddress& address) -> Result<MetadataResponse> {
    ASSIGN_OR_RETURN(auto connection, pool_->Take(address, limit));
    ASSIGN_OR_RETURN(const KafkaBody body, connection->Call(kApiMetadata, request, limit));
    pool_->Return(std::move(connection));
    return DecodeMetadata(body.body);
  };
  for (const BrokerAddress& address : candidates) {
    Result<MetadataResponse> response = ask(address);
    if (response.ok()) {
      Learn(*response);
      return response;
    }
    last = response.status();
    if (!last.retryable()) break;
  }
  if (!last.retryable() || candidates.size() == 1) return last;
  return last.WithContext("none of " + std::to_string(candidates.size()) +
                          " brokers answers, the last");
}

void Directory::Learn(const MetadataResponse& response) {
  std::lock_guard lock(mutex_);
  if (!response.brokers.empty()) brokers_.clear();
  for (const MetadataResponse::Broker& broker : response.brokers)
    brokers_[broker.id] = {broker.host, broker.port};
  for (const MetadataResponse::Topic& topic : response.topics) {
    if (topic.error == kErrorNone) topics_[topic.name] = {topic, clock_->Monotonic()};
  }
}

bool Directory::Find(const std::string& topic, MetadataResponse::Topic* found) const {
  std::lock_guard lock(mutex_);
  const auto known = topics_.find(topic);
  if (known == topics_.end() ||
      clock_->Monotonic() - known->second.since > settings_.metadata_max_age)
    return false;
  *found = known->second.topic;
  return true;
}

Result<PartitionLeader> Directory::Leader(const std::string& topic, int partition,
                                          const CallLimit& limit) {
  MetadataResponse::Topic found;
  if (Find(topic, &found)) {
    Result<PartitionLeader> leader = Leader(found, partition);
    if (leader.ok()) return leader;
  }
  ASSIGN_OR_RETURN(MetadataResponse response, Ask({topic}, limit));
  for (const MetadataResponse::Topic& answer : response.topics) {
    if (answer.name != topic) continue;
    RETURN_IF_ERROR(KafkaErrorStatus(answer.error, "topic " + topic));
    return Leader(answer, partition);
  }
  return NotFoundError("topic " + topic + " is not known to the brokers");
}

Result<PartitionLeader> Directory::Leader(const MetadataResponse::Topic& topic,
                                          int partition) const {
  const std::string name = topic.name + "/" + std::to_string(partition);
  for (const MetadataResponse::Partition& candidate : topic.partitions) {
    if (candidate.index != partition) continue;
    if (candidate.leader < 0) return UnavailableError("partition " + name + " has no leader now");
    ASSIGN_OR_RETURN(BrokerAddress address, Address(candidate.leader));
    return PartitionLeader{std::move(address), candidate.leader, candidate.leader_epoch, topic.id};
  }
  return NotFoundError("topic " + topic.name + " has no partition " + std::to_string(partition));
}

Result<BrokerAddress> Directory::Address(int broker) const {
  std::lock_guard lock(mutex_);
  const auto found = brokers_.find(broker);
  if (found == brokers_.end())
    return UnavailableError("broker " + std::to_string(broker) + " is not there now");
  return found->second;
}

void Directory::Forget(const std::string& topic) {
  std::lock_guard lock(mutex_);
  topics_.erase(topic);
}

}  // namespace millrace::worker
