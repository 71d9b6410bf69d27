#include "worker/client/kafka/offset_mirror.h"

#include <chrono>
#include <optional>

#include "crds/base/log.h"
#include "worker/client/kafka/rdkafka_handle.h"

namespace millrace::worker {
namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr std::chrono::minutes kWarnInterval{1};
constexpr int kStepMs = 200;
constexpr int kCommitMs = 10'000;
constexpr int kLastCommitMs = 2000;

struct ListDeleter {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
struct QueueDeleter {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
struct EventDeleter {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};

}  // namespace

Result<std::unique_ptr<KafkaOffsetMirror>> KafkaOffsetMirror::Create(
    const KafkaClientOptions& options, const std::string& group_id) {
  RdkafkaHandle::Settings settings;
  settings.type = RD_KAFKA_CONSUMER;
  settings.forced = {{"group.id", group_id}, {"enable.auto.commit", "false"}};
  ASSIGN_OR_RETURN(std::unique_ptr<RdkafkaHandle> handle,
                   RdkafkaHandle::Create(options, std::move(settings)));
  return std::unique_ptr<KafkaOffsetMirror>(new KafkaOffsetMirror(std::move(handle), group_id));
}

KafkaOffsetMirror::KafkaOffsetMirror(std::unique_ptr<RdkafkaHandle> handle, std::string group_id)
    : group_id_(std::move(group_id)),
      handle_(std::move(handle)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

KafkaOffsetMirror::~KafkaOffsetMirror() {
  thread_.request_stop();
  thread_.join();
}

void KafkaOffsetMirror::Set(const std::map<KafkaPartition, int64_t>& offsets) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [where, offset] : offsets) pending_[where] = offset;
  }
  changed_.notify_one();
}

void KafkaOffsetMirror::Run(const std::stop_token& stop) {
  std::optional<std::chrono::steady_clock::time_point> warned;
  bool last = false;
  while (!last) {
    std::map<KafkaPartition, int64_t> offsets;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, stop, [this] { return !pending_.empty(); });
      last = stop.stop_requested();
      offsets.swap(pending_);
    }
    if (offsets.empty()) continue;
    const Status status = Commit(offsets, stop);
    const auto now = std::chrono::steady_clock::now();
    if (!status.ok() && (!warned || now - *warned > kWarnInterval)) {
      warned = now;
      Log(LogLevel::kWarn, "offsets are not shown to the consumer group",
          {{"group", group_id_}, {"error", status.message()}});
    }
    std::unique_lock<std::mutex> lock(mutex_);
    if (!last) changed_.wait_for(lock, stop, kInterval, [] { return false; });
  }
}

Status KafkaOffsetMirror::Commit(const std::map<KafkaPartition, int64_t>& offsets,
                                 const std::stop_token& stop) {
  const std::unique_ptr<rd_kafka_topic_partition_list_t, ListDeleter> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const auto& [where, offset] : offsets) {
    rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition)->offset =
        offset;
  }
  const std::unique_ptr<rd_kafka_queue_t, QueueDeleter> queue(rd_kafka_queue_new(handle_->get()));
  rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(handle_->get(), list.get(), queue.get(), nullptr, nullptr);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return RdkafkaStatus(error, "commit offsets");
  std::unique_ptr<rd_kafka_event_t, EventDeleter> event;
  for (int waited = 0; event == nullptr && waited < kCommitMs; waited += kStepMs) {
    if (stop.stop_requested() && waited >= kLastCommitMs) break;
    event.reset(rd_kafka_queue_poll(queue.get(), kStepMs));
    rd_kafka_poll(handle_->get(), 0);
  }
  if (event == nullptr) return handle_->Explain(UnavailableError("no Kafka broker answers"));
  error = rd_kafka_event_error(event.get());
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? OkStatus() : RdkafkaStatus(error, "commit offsets");
}

}  // namespace millrace::worker
