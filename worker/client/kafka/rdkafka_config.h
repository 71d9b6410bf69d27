#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

#include "crds/base/status.h"
#include "worker/client/kafka/login.h"
#include "worker/client/kafka/options.h"
#include "worker/client/kafka/rdkafka_handle.h"

namespace millrace::worker {

// Collects the settings of one client and makes it. Used once, by RdkafkaHandle::Create, whose
// object outlives the client. Thread-compatible.
class RdkafkaConfig {
 public:
  explicit RdkafkaConfig(RdkafkaHandle* handle)
      : handle_(handle), conf_(rd_kafka_conf_new(), &rd_kafka_conf_destroy) {}

  // kInvalid with the setting's name, never its value.
  Status Fill();
  Result<rd_kafka_t*> Make();

 private:
  Status Set(const std::string& name, const std::string& value);
  Status SetSecurity();
  Status SetTls();
  Status SetSasl();
  void WatchRequests();
  void SetCallbacks();

  RdkafkaHandle* handle_;
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf_;
};

}  // namespace millrace::worker
