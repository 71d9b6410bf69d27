#include "worker/sink/kafka/topic_book.h"

#include <algorithm>
#include <charconv>

#include "crds/base/log.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxTopicName = 249;
constexpr int64_t kLargestMessage = 1'000'000'000;  // that the client takes

}  // namespace

bool IsTopicName(std::string_view name) {
  const bool known = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  return known && !name.empty() && name.size() <= kMaxTopicName && name != "." && name != "..";
}

Status TopicBook::Prepare(const std::string& name, const std::stop_token& stop) {
  if (creation_) {
    KafkaTopicSettings settings{name, creation_->partitions, creation_->replication_factor,
                                creation_->config};
    ASSIGN_OR_RETURN(const bool created, admin_->CreateTopic(settings, stop));
    if (created) Log(LogLevel::kInfo, "created a Kafka topic", {{"topic", name}});
  }
  const auto config = admin_->TopicConfig(name, stop);
  if (!config.ok()) {
    if (config.status().code() == StatusCode::kAborted) return config.status();
    return OkStatus();  // no authority, or no topic yet: the usual limit
  }
  const auto found = config->find("max.message.bytes");
  int64_t limit = 0;
  if (found == config->end()) return OkStatus();
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), limit);
  if (limit >= kLeastLimit) limits_[name] = std::min(limit, kLargestMessage);
  return OkStatus();
}

int64_t TopicBook::LimitOf(const std::string& name) const {
  const auto known = limits_.find(name);
  const int64_t limit = known != limits_.end() ? known->second : kUsualLimit;
  return fixed_limit_ ? std::min(limit, *fixed_limit_) : limit;
}

Result<KafkaTopicFacts> TopicBook::Find(std::string_view name, KafkaProducer* producer,
                                        const std::stop_token& stop) {
  const auto known = facts_.find(name);
  if (known != facts_.end()) return known->second;
  if (!IsTopicName(name)) {
    return NotFoundError("\"" + Excerpt(name) +
                         "\" cannot be the name of a Kafka topic: use letters, digits, ., _ and -, "
                         "at most 249");
  }
  const std::string topic(name);
  if (creation_ && !limits_.contains(topic)) RETURN_IF_ERROR(Prepare(topic, stop));
  KafkaTopicFacts facts;
  ASSIGN_OR_RETURN(facts.number, producer->Topic(topic));
  ASSIGN_OR_RETURN(facts.partitions, producer->PartitionCount(facts.number, stop));
  facts.max_record_bytes =
      std::max(kLeastLimit, std::min(LimitOf(topic), max_message_bytes()) - kRecordOverhead);
  facts_.emplace(topic, facts);
  return facts;
}

bool TopicBook::Lower(const std::string& name, const std::stop_token& stop) {
  const int64_t before = LimitOf(name);
  limits_.erase(name);
  const Status status = Prepare(name, stop);
  if (!status.ok() || LimitOf(name) >= before) limits_[name] = before / 2;
  Log(LogLevel::kWarn,
      "a Kafka broker refused a record for its size; smaller ones are sent from now on",
      {{"topic", name}, {"bytes", std::to_string(LimitOf(name))}});
  return LimitOf(name) >= kLeastLimit;
}

int64_t TopicBook::max_message_bytes() const {
  if (fixed_limit_) return *fixed_limit_;
  int64_t largest = kUsualLimit;
  for (const auto& [name, limit] : limits_) largest = std::max(largest, limit);
  return largest;
}

int64_t TopicBook::max_batch_bytes(int64_t wanted) const {
  int64_t least = std::min(wanted, max_message_bytes());
  for (const auto& [name, limit] : limits_) least = std::min(least, limit);
  return least;
}

}  // namespace millrace::worker
