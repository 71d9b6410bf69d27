#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/options.h"

namespace millrace::worker {

struct KafkaTopicSettings {
  std::string name;
  std::optional<int> partitions;  // none: the brokers' default
  std::optional<int> replication_factor;
  std::map<std::string, std::string> config;
};

// Makes topics and reads their settings. Thread-compatible; connects with the first call, which
// blocks for at most half a minute. Errors: kInvalid for authorisation and settings that brokers
// refuse, kUnavailable when they do not answer, kAborted when stopped.
class KafkaAdmin {
 public:
  // kInvalid for client settings and secrets that cannot be used.
  static Result<std::unique_ptr<KafkaAdmin>> Create(const KafkaClientOptions& options,
                                                    Clock* clock);
  virtual ~KafkaAdmin() = default;

  // True when it made the topic, false when there is one of this name, whatever its settings. A new
  // topic may need a moment until every broker knows of it.
  virtual Result<bool> CreateTopic(const KafkaTopicSettings& topic,
                                   const std::stop_token& stop) = 0;
  // Effective settings of a topic, defaults of the brokers included.
  virtual Result<std::map<std::string, std::string>> TopicConfig(const std::string& topic,
                                                                 const std::stop_token& stop) = 0;
};

}  // namespace millrace::worker
