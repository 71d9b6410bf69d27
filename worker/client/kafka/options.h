#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/spec.h"

namespace millrace::worker {

// How to reach a Kafka cluster and sign in to it. A value; secrets are read by whoever connects.
struct KafkaClientOptions {
  std::vector<std::string> brokers;  // host:port
  std::optional<api::Tls> tls;
  std::optional<api::Sasl> sasl;
  std::map<std::string, std::string> properties;  // passed crds/api/kafka_property.h already
  std::string secrets_directory;
  std::string client_id = "millrace";  // short: librdkafka before 2.5 crashes on long ones
};

}  // namespace millrace::worker
