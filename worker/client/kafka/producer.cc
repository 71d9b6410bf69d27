#include "worker/client/kafka/producer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <utility>

#include "crds/base/log.h"
#include "worker/client/kafka/rdkafka_handle.h"

namespace millrace::worker {
namespace {

constexpr int kStepMs = 500;  // between looks at the stop token
constexpr int kQueueFullMs = 5;
constexpr int kShortLooks = 50;  // of 1 ms, for acknowledgements
constexpr int kMetadataMs = 5000;
constexpr int kMaxTopics = 10'000;
constexpr size_t kMaxHeaders = 100;
constexpr Duration kStartTimeout = std::chrono::seconds(30);
constexpr Duration kSignInGrace =
    std::chrono::seconds(3);  // a broker that starts may refuse at first
constexpr Duration kStopGrace = std::chrono::seconds(5);
constexpr std::string_view kQueueMessages = "1000000";

std::string Millis(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

std::string_view CodecName(api::Compression compression) {
  switch (compression) {
    case api::Compression::kGzip:
      return "gzip";
    case api::Compression::kSnappy:
      return "snappy";
    case api::Compression::kLz4:
      return "lz4";
    case api::Compression::kZstd:
      return "zstd";
    case api::Compression::kNone:
    case api::Compression::kAuto:
      break;
  }
  return "none";
}

// Until when a blocking call may go on: a deadline, and a shorter one once a stop is asked for.
class Patience {
 public:
  Patience(Clock* clock, Duration limit, const std::stop_token& stop)
      : clock_(clock), deadline_(clock->Monotonic() + limit), stop_(stop) {}

  bool Over() {
    const MonotonicTime now = clock_->Monotonic();
    if (stop_.stop_requested() && !stopping_) {
      stopping_ = true;
      deadline_ = std::min(deadline_, now + kStopGrace);
    }
    return now >= deadline_;
  }

 private:
  Clock* clock_;
  MonotonicTime deadline_;
  const std::stop_token& stop_;
  bool stopping_ = false;
};

struct TopicDeleter {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
struct MetadataDeleter {
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};

class RdkafkaProducer final : public KafkaProducer {
 public:
  RdkafkaProducer(const KafkaProducerOptions& options, Clock* clock)
      : transactional_(!options.transactional_id.empty()),
        timeout_(options.transaction_timeout),
        clock_(clock) {}
  ~RdkafkaProducer() override {
    topics_.clear();
    handle_.reset();  // before the buffers that it may still read
  }

  Status Connect(const KafkaProducerOptions& options);
  Status Start(const std::stop_token& stop) override;
  Result<int> Topic(const std::string& name) override;
  Result<int> PartitionCount(int topic, const std::stop_token& stop) override;
  Status Begin() override;
  Status Produce(const KafkaRows& rows, const std::stop_token& stop) override;
  KafkaSettled Commit(const std::stop_token& stop) override;
  KafkaSettled Abort(const std::stop_token& stop) override;

 private:
  void OnFailedRecord(const rd_kafka_message_t& record);
  void Fill(const KafkaRows& rows, uint32_t row);
  Status Send(Patience* patience);
  rd_kafka_resp_err_t CauseOfFailedTransaction();
  void NoteFailure(rd_kafka_resp_err_t error, const std::string& topic, const char* reason);
  void Drain(Patience* patience);
  KafkaSettled Flush(Patience patience);
  KafkaSettled AbortFor(Status reason, const std::stop_token& stop);
  KafkaSettled Dead(Status status);
  KafkaSettled Settled(KafkaOutcome outcome, Status status);
  Status FatalStatus(const std::string& what);

  const bool transactional_;
  const Duration timeout_;
  Clock* clock_;
  bool dead_ = false;
  Status failure_;  // of the first record that was not delivered
  std::string too_large_topic_;
  std::vector<std::shared_ptr<const void>> owners_;  // of values in flight
  std::vector<rd_kafka_vu_t> arguments_;
  std::map<std::string, int> topic_numbers_;
  std::unique_ptr<RdkafkaHandle> handle_;
  std::vector<std::unique_ptr<rd_kafka_topic_t, TopicDeleter>> topics_;
};

Status RdkafkaProducer::Connect(const KafkaProducerOptions& options) {
  RdkafkaHandle::Settings settings;
  settings.defaults = {{"linger.ms", "5"},
                       {"batch.num.messages", "100000"},
                       {"queue.buffering.max.messages", std::string(kQueueMessages)},
                       {"message.timeout.ms", Millis(timeout_)}};
  settings.forced = {{"acks", "all"},
                     {"enable.idempotence", "true"},
                     {"partitioner", "murmur2_random"},
                     {"delivery.report.only.error", "true"},
                     {"compression.codec", std::string(CodecName(options.compression))},
                     {"message.max.bytes", std::to_string(options.max_message_bytes)},
                     {"batch.size", std::to_string(options.max_batch_bytes)}};
  if (transactional_) {
    settings.forced.emplace_back("transactional.id", options.transactional_id);
    settings.forced.emplace_back("transaction.timeout.ms", Millis(timeout_));
  }
  settings.on_failed_record = [this](const rd_kafka_message_t& record) { OnFailedRecord(record); };
  ASSIGN_OR_RETURN(handle_, RdkafkaHandle::Create(options.client, std::move(settings)));
  return OkStatus();
}

void RdkafkaProducer::OnFailedRecord(const rd_kafka_message_t& record) {
  // Not rd_kafka_message_errstr: of a record that was to be written it returns the payload.
  NoteFailure(record.err, rd_kafka_topic_name(record.rkt), rd_kafka_err2str(record.err));
}

void RdkafkaProducer::NoteFailure(rd_kafka_resp_err_t error, const std::string& topic,
                                  const char* reason) {
  // What a purge drops was given up for another reason.
  if (error == RD_KAFKA_RESP_ERR__PURGE_QUEUE || error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT) return;
  if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
      error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE) {
    too_large_topic_ = topic;
  }
  if (!failure_.ok()) return;
  failure_ = Status(RdkafkaStatusCode(error), "topic " + topic + ": " + reason);
}

Status RdkafkaProducer::FatalStatus(const std::string& what) {
  char reason[512] = "";
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(handle_->get(), reason, sizeof(reason));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return OkStatus();
  return {RdkafkaStatusCode(error), what + ": " + reason};
}

Status RdkafkaProducer::Start(const std::stop_token& stop) {
  if (!transactional_) return OkStatus();
  Patience patience(clock_, kStartTimeout, stop);
  std::optional<MonotonicTime> refused;
  while (true) {
    const RdkafkaError error(rd_kafka_init_transactions(handle_->get(), kStepMs));
    rd_kafka_poll(handle_->get(), 0);
    if (!error) return OkStatus();
    const Status status =
        RdkafkaStatus(rd_kafka_error_code(error.get()), "begin to write in transactions")
            .WithContext("Kafka");
    const bool again = rd_kafka_error_is_retriable(error.get()) != 0;
    if (!again) return handle_->Explain({status.code(), rd_kafka_error_string(error.get())});
    const Status connection = handle_->ConnectionStatus();
    if (connection.code() == StatusCode::kInvalid) {
      if (!refused) refused = clock_->Monotonic();
      if (clock_->Monotonic() - *refused > kSignInGrace) return connection.WithContext("Kafka");
    }
    if (stop.stop_requested()) return AbortedError("stopped while connecting to Kafka");
    if (patience.Over()) {
      return handle_->Explain(UnavailableError("no Kafka broker let transactions begin"));
    }
  }
}

Result<int> RdkafkaProducer::Topic(const std::string& name) {
  const auto known = topic_numbers_.find(name);
  if (known != topic_numbers_.end()) return known->second;
  if (topics_.size() >= kMaxTopics) {
    return InvalidError("more than " + std::to_string(kMaxTopics) + " Kafka topics in one sink");
  }
  rd_kafka_topic_t* topic = rd_kafka_topic_new(handle_->get(), name.c_str(), nullptr);
  if (topic == nullptr) return RdkafkaStatus(rd_kafka_last_error(), "topic " + name);
  const int number = static_cast<int>(topics_.size());
  topics_.emplace_back(topic);
  topic_numbers_.emplace(name, number);
  return number;
}

Result<int> RdkafkaProducer::PartitionCount(int topic, const std::stop_token& stop) {
  rd_kafka_topic_t* handle = topics_[static_cast<size_t>(topic)].get();
  const std::string what = std::string("Kafka topic ") + rd_kafka_topic_name(handle);
  Patience patience(clock_, std::chrono::milliseconds(kMetadataMs), stop);
  while (true) {
    const rd_kafka_metadata_t* raw = nullptr;
    rd_kafka_resp_err_t error = rd_kafka_metadata(handle_->get(), 0, handle, &raw, kStepMs * 4);
    const std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter> metadata(raw);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
      error = metadata->topics[0].err;
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return metadata->topics[0].partition_cnt;
    }
    rd_kafka_poll(handle_->get(), 0);
    const Status status = RdkafkaStatus(error, what);
    if (status.code() == StatusCode::kInvalid) return status;
    if (patience.Over()) {
      if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        return NotFoundError(what + " does not exist and brokers did not create it");
      }
      return handle_->Explain(status);
    }
    if (!clock_->SleepFor(std::chrono::milliseconds(50), stop)) {
      return AbortedError("stopped while looking for " + what);
    }
  }
}

Status RdkafkaProducer::Begin() {
  if (dead_) return InternalError("the Kafka producer is used after an unknown outcome");
  failure_ = OkStatus();
  too_large_topic_.clear();
  handle_->ForgetEnds();
  if (!transactional_) return OkStatus();
  const RdkafkaError error(rd_kafka_begin_transaction(handle_->get()));
  if (!error) return OkStatus();
  dead_ = true;
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
  const Status fatal = FatalStatus("Kafka transaction");
  return fatal.ok() ? RdkafkaStatus(code, "begin a Kafka transaction") : fatal;
}

void RdkafkaProducer::Fill(const KafkaRows& rows, uint32_t row) {
  arguments_.clear();
  const auto add = [this](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    arguments_.push_back({});
    arguments_.back().vtype = type;
    return arguments_.back();
  };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = topics_[static_cast<size_t>(rows.topics[row])].get();
  const std::string_view value = rows.values[row];
  add(RD_KAFKA_VTYPE_VALUE).u.mem = {const_cast<char*>(value.data()), value.size()};
  if (!rows.keys.empty() && rows.keys[row].data() != nullptr) {
    add(RD_KAFKA_VTYPE_KEY).u.mem = {const_cast<char*>(rows.keys[row].data()),
                                     rows.keys[row].size()};
  }
  if (!rows.partitions.empty()) add(RD_KAFKA_VTYPE_PARTITION).u.i32 = rows.partitions[row];
  if (!rows.timestamps_ms.empty()) add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = rows.timestamps_ms[row];
  for (const KafkaRows::Header& header : rows.headers) {
    const std::string_view text = header.values[row];
    add(RD_KAFKA_VTYPE_HEADER).u.header = {header.name.c_str(), text.data(),
                                           static_cast<ssize_t>(text.size())};
  }
}

// A transaction takes no more records once it has failed. Then a commit does nothing but say why.
rd_kafka_resp_err_t RdkafkaProducer::CauseOfFailedTransaction() {
  const RdkafkaError error(rd_kafka_commit_transaction(handle_->get(), kStepMs));
  return error ? rd_kafka_error_code(error.get()) : RD_KAFKA_RESP_ERR__STATE;
}

// Waits while the client's queue is full: brokers are slower than the job.
Status RdkafkaProducer::Send(Patience* patience) {
  while (true) {
    const RdkafkaError error(
        rd_kafka_produceva(handle_->get(), arguments_.data(), arguments_.size()));
    if (!error) return OkStatus();
    rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
    if (code == RD_KAFKA_RESP_ERR__STATE && transactional_) code = CauseOfFailedTransaction();
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(handle_->get(), 0);  // the reason may be a record before
      NoteFailure(code, rd_kafka_topic_name(arguments_[0].u.rkt),
                  rd_kafka_error_string(error.get()));
      return failure_;
    }
    rd_kafka_poll(handle_->get(), kQueueFullMs);
    RETURN_IF_ERROR(failure_);
    if (patience->Over()) {
      return handle_->Explain(UnavailableError("Kafka brokers do not take records fast enough"));
    }
  }
}

Status RdkafkaProducer::Produce(const KafkaRows& rows, const std::stop_token& stop) {
  CHECK(rows.headers.size() <= kMaxHeaders);
  if (rows.owner != nullptr) owners_.push_back(rows.owner);
  Patience patience(clock_, timeout_, stop);
  for (const uint32_t row : rows.rows) {
    Fill(rows, row);
    RETURN_IF_ERROR(Send(&patience));
  }
  rd_kafka_poll(handle_->get(), 0);
  return failure_;
}

KafkaSettled RdkafkaProducer::Settled(KafkaOutcome outcome, Status status) {
  if (outcome != KafkaOutcome::kUnknown) owners_.clear();
  return {outcome, std::move(status), too_large_topic_, handle_->ends_sent() > 1};
}

KafkaSettled RdkafkaProducer::Dead(Status status) {
  dead_ = true;
  const Status fatal = FatalStatus("Kafka transaction");
  return Settled(KafkaOutcome::kUnknown, fatal.ok() ? handle_->Explain(std::move(status)) : fatal);
}

// Waits until everything produced is acknowledged, or the first failure. A commit does so too, but
// looks only every 10 ms while successes are not reported, and wakes the threads that send once.
// Small batches are acknowledged within the first looks, which are short; bulk waits longer.
void RdkafkaProducer::Drain(Patience* patience) {
  int looks = 0;
  int step_ms = 1;
  while (rd_kafka_flush(handle_->get(), step_ms) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    if (!failure_.ok() || patience->Over()) return;
    if (++looks > kShortLooks) step_ms = std::min(step_ms + 1, kStepMs);
  }
}

KafkaSettled RdkafkaProducer::Commit(const std::stop_token& stop) {
  Patience patience(clock_, timeout_, stop);
  Drain(&patience);
  if (!transactional_) return Flush(std::move(patience));
  while (true) {
    const RdkafkaError error(rd_kafka_commit_transaction(handle_->get(), kStepMs));
    rd_kafka_poll(handle_->get(), 0);
    if (!error) return Settled(KafkaOutcome::kCommitted, OkStatus());
    const Status status = RdkafkaStatus(rd_kafka_error_code(error.get()), "commit to Kafka");
    if (rd_kafka_error_is_fatal(error.get())) return Dead(status);
    if (rd_kafka_error_txn_requires_abort(error.get())) {
      return AbortFor({status.code(), rd_kafka_error_string(error.get())}, stop);
    }
    if (!rd_kafka_error_is_retriable(error.get())) return Dead(status);
    if (patience.Over()) {
      return Dead(UnavailableError("the outcome of a Kafka transaction is unknown"));
    }
  }
}

KafkaSettled RdkafkaProducer::Flush(Patience patience) {
  while (rd_kafka_flush(handle_->get(), kStepMs) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    if (patience.Over()) return Dead(UnavailableError("Kafka brokers did not acknowledge in time"));
  }
  if (failure_.ok()) return Settled(KafkaOutcome::kCommitted, OkStatus());
  if (!FatalStatus("").ok()) return Dead(failure_);
  return Settled(KafkaOutcome::kAborted, failure_);
}

KafkaSettled RdkafkaProducer::Abort(const std::stop_token& stop) {
  return AbortFor(failure_.ok() ? UnavailableError("the Kafka transaction was given up") : failure_,
                  stop);
}

KafkaSettled RdkafkaProducer::AbortFor(Status reason, const std::stop_token& stop) {
  if (dead_) return Dead(std::move(reason));
  if (!failure_.ok()) reason = failure_;
  if (!transactional_) {
    // Records on their way may still arrive: a new producer must not mix with them.
    return Dead(std::move(reason));
  }
  Patience patience(clock_, timeout_, stop);
  while (true) {
    const RdkafkaError error(rd_kafka_abort_transaction(handle_->get(), kStepMs));
    rd_kafka_poll(handle_->get(), 0);
    if (!error) return Settled(KafkaOutcome::kAborted, std::move(reason));
    if (!rd_kafka_error_is_retriable(error.get()) || patience.Over()) {
      return Dead(std::move(reason));
    }
  }
}

}  // namespace

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::Create(const KafkaProducerOptions& options,
                                                             Clock* clock) {
  auto producer = std::make_unique<RdkafkaProducer>(options, clock);
  RETURN_IF_ERROR(producer->Connect(options));
  return std::unique_ptr<KafkaProducer>(std::move(producer));
}

}  // namespace millrace::worker
