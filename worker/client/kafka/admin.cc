#include "worker/client/kafka/admin.h"

#include <functional>

#include "worker/client/kafka/rdkafka_handle.h"

namespace millrace::worker {
namespace {

constexpr int kStepMs = 200;
constexpr int kRequestMs = 20'000;
constexpr Duration kTimeout = std::chrono::seconds(30);

struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
struct AdminOptionsDeleter {
  void operator()(rd_kafka_AdminOptions_t* options) const {
    rd_kafka_AdminOptions_destroy(options);
  }
};
struct NewTopicDeleter {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
};
struct ConfigResourceDeleter {
  void operator()(rd_kafka_ConfigResource_t* resource) const {
    rd_kafka_ConfigResource_destroy(resource);
  }
};
using Event = std::unique_ptr<rd_kafka_event_t, EventDeleter>;
using AdminOptions = std::unique_ptr<rd_kafka_AdminOptions_t, AdminOptionsDeleter>;

class RdkafkaAdmin final : public KafkaAdmin {
 public:
  RdkafkaAdmin(std::unique_ptr<RdkafkaHandle> handle, Clock* clock)
      : handle_(std::move(handle)), clock_(clock), queue_(rd_kafka_queue_new(handle_->get())) {}

  Result<bool> CreateTopic(const KafkaTopicSettings& topic, const std::stop_token& stop) override;
  Result<std::map<std::string, std::string>> TopicConfig(const std::string& topic,
                                                         const std::stop_token& stop) override;

 private:
  AdminOptions Options(rd_kafka_admin_op_t operation) const;
  // The answer to the request just sent.
  Result<Event> Await(const std::string& what, const std::stop_token& stop);

  std::unique_ptr<RdkafkaHandle> handle_;
  Clock* clock_;
  std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue_;
};

AdminOptions RdkafkaAdmin::Options(rd_kafka_admin_op_t operation) const {
  AdminOptions options(rd_kafka_AdminOptions_new(handle_->get(), operation));
  char reason[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kRequestMs, reason, sizeof(reason));
  return options;
}

Result<Event> RdkafkaAdmin::Await(const std::string& what, const std::stop_token& stop) {
  const MonotonicTime deadline = clock_->Monotonic() + kTimeout;
  while (clock_->Monotonic() < deadline) {
    Event event(rd_kafka_queue_poll(queue_.get(), kStepMs));
    rd_kafka_poll(handle_->get(), 0);
    if (event != nullptr) {
      const rd_kafka_resp_err_t error = rd_kafka_event_error(event.get());
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
      return handle_->Explain(
          {RdkafkaStatusCode(error), what + ": " + rd_kafka_event_error_string(event.get())});
    }
    const Status connection = handle_->ConnectionStatus();
    if (connection.code() == StatusCode::kInvalid) return connection.WithContext(what);
    if (stop.stop_requested()) return AbortedError(what + ": stopped");
  }
  return handle_->Explain(UnavailableError(what + ": no Kafka broker answers"));
}

Result<bool> RdkafkaAdmin::CreateTopic(const KafkaTopicSettings& topic,
                                       const std::stop_token& stop) {
  const std::string what = "create Kafka topic " + topic.name;
  char reason[256] = "";
  const std::unique_ptr<rd_kafka_NewTopic_t, NewTopicDeleter> created(
      rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions.value_or(-1),
                            topic.replication_factor.value_or(-1), reason, sizeof(reason)));
  if (created == nullptr) return InvalidError(what + ": " + reason);
  for (const auto& [name, value] : topic.config) {
    if (rd_kafka_NewTopic_set_config(created.get(), name.c_str(), value.c_str()) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      return InvalidError(what + ": setting " + name);
    }
  }
  rd_kafka_NewTopic_t* topics[] = {created.get()};
  const AdminOptions options = Options(RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_CreateTopics(handle_->get(), topics, 1, options.get(), queue_.get());
  ASSIGN_OR_RETURN(const Event event, Await(what, stop));
  size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1) return InternalError(what + ": the answer names no topic");
  const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[0]);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return false;
  const char* text = rd_kafka_topic_result_error_string(results[0]);
  return Status(RdkafkaStatusCode(error),
                what + ": " + (text != nullptr ? text : rd_kafka_err2str(error)));
}

Result<std::map<std::string, std::string>> RdkafkaAdmin::TopicConfig(const std::string& topic,
                                                                     const std::stop_token& stop) {
  const std::string what = "read the settings of Kafka topic " + topic;
  const std::unique_ptr<rd_kafka_ConfigResource_t, ConfigResourceDeleter> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
  rd_kafka_ConfigResource_t* resources[] = {resource.get()};
  const AdminOptions options = Options(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  rd_kafka_DescribeConfigs(handle_->get(), resources, 1, options.get(), queue_.get());
  ASSIGN_OR_RETURN(const Event event, Await(what, stop));
  size_t count = 0;
  const rd_kafka_ConfigResource_t** results = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  if (count != 1) return InternalError(what + ": the answer names no topic");
  const rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(results[0]);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return RdkafkaStatus(error, what);
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(results[0], &count);
  std::map<std::string, std::string> config;
  for (size_t i = 0; i < count; ++i) {
    const char* value = rd_kafka_ConfigEntry_value(entries[i]);
    if (value != nullptr) config[rd_kafka_ConfigEntry_name(entries[i])] = value;
  }
  return config;
}

}  // namespace

Result<std::unique_ptr<KafkaAdmin>> KafkaAdmin::Create(const KafkaClientOptions& options,
                                                       Clock* clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<RdkafkaHandle> handle,
                   RdkafkaHandle::Create(options, RdkafkaHandle::Settings{}));
  return std::unique_ptr<KafkaAdmin>(std::make_unique<RdkafkaAdmin>(std::move(handle), clock));
}

}  // namespace millrace::worker
