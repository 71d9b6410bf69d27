#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/status.h"
#include "worker/client/kafka/options.h"

// Only .cc files of this folder include this header: nobody else sees librdkafka.
namespace millrace::worker {

struct RdkafkaErrorDeleter {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using RdkafkaError = std::unique_ptr<rd_kafka_error_t, RdkafkaErrorDeleter>;

// What an error of the client or of a broker means for the caller:
//   kAborted      fenced: another producer took the transactional id over
//   kInvalid      refused for good: authorisation, sign-in, settings
//   kNotFound     no such topic or partition
//   kInternal     the library or the broker broke a promise
//   kUnavailable  everything else; the same call may succeed later
StatusCode RdkafkaStatusCode(rd_kafka_resp_err_t error);
Status RdkafkaStatus(rd_kafka_resp_err_t error, const std::string& what);

// One librdkafka client with Millrace's rules: settings from an allow-list, certificates always
// verified, secrets read from mounted files, log lines passed on without secrets and at most a few
// a second. Thread-safe as librdkafka is; callbacks run in its threads or inside rd_kafka_poll.
// Owns the client: destroying waits for its threads, not for brokers.
class RdkafkaHandle {
 public:
  struct Settings {
    rd_kafka_type_t type = RD_KAFKA_PRODUCER;
    // Applied in order, before and after the user's properties.
    std::vector<std::pair<std::string, std::string>> defaults;
    std::vector<std::pair<std::string, std::string>> forced;
    // Called inside rd_kafka_poll and rd_kafka_flush for records that were not delivered.
    std::function<void(const rd_kafka_message_t&)> on_failed_record;
  };

  // Does not connect. kInvalid for settings that librdkafka refuses and for unusable secrets.
  static Result<std::unique_ptr<RdkafkaHandle>> Create(const KafkaClientOptions& options,
                                                       Settings settings);
  ~RdkafkaHandle();
  RdkafkaHandle(const RdkafkaHandle&) = delete;
  RdkafkaHandle& operator=(const RdkafkaHandle&) = delete;

  rd_kafka_t* get() const { return client_; }
  // The last trouble of connections, ok for none; call rd_kafka_poll first.
  Status ConnectionStatus() const;
  // Requests to end a transaction that were sent since ForgetEnds. With a second one, the first may
  // have had no answer and still arrive. (Answers are not counted: librdkafka 2.0 tells of them
  // twice.)
  int ends_sent() const { return ends_sent_; }
  void ForgetEnds() { ends_sent_ = 0; }
  // `status` with the last trouble of connections behind the message, if there is any.
  Status Explain(Status status) const;

 private:
  friend class RdkafkaConfig;
  RdkafkaHandle(const KafkaClientOptions& options, Settings settings)
      : options_(options), settings_(std::move(settings)) {}

  void OnError(rd_kafka_resp_err_t error, const char* reason);
  void OnLog(int level, const char* facility, const char* text);
  void OnTokenWanted(rd_kafka_t* client);
  void OnRequestSent(int16_t api_key);
  bool AcceptsCertificate(int depth, const char* bytes, size_t size, std::string* reason) const;
  std::string Scrub(std::string text) const;

  const KafkaClientOptions options_;
  const Settings settings_;
  std::string server_name_;           // expected in certificates; empty: the broker's host
  std::vector<std::string> secrets_;  // never shown
  rd_kafka_t* client_ = nullptr;
  std::atomic<int64_t> log_window_{0};
  std::atomic<int> log_lines_{0};
  std::atomic<int> ends_sent_{0};
  mutable std::mutex mutex_;
  Status connection_;  // guarded by mutex_
};

}  // namespace millrace::worker
