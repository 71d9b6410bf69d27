#include "worker/client/kafka/rdkafka_handle.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/client/kafka/rdkafka_config.h"

namespace millrace::worker {
namespace {

constexpr int kMaxLogLinesPerWindow = 5;
constexpr int64_t kLogWindowSeconds = 10;
constexpr std::chrono::minutes kTokenLifetime{5};  // the Secret is read again before that
constexpr int kSyslogWarning = 4;
constexpr int16_t kEndTxn = 26;  // of the protocol
constexpr int kSyslogInfo = 6;

LogLevel LevelOf(int syslog_level) {
  if (syslog_level <= kSyslogWarning) return LogLevel::kWarn;  // errors surface as a Status
  return syslog_level <= kSyslogInfo ? LogLevel::kInfo : LogLevel::kDebug;
}

}  // namespace

Result<std::unique_ptr<RdkafkaHandle>> RdkafkaHandle::Create(const KafkaClientOptions& options,
                                                             Settings settings) {
  std::unique_ptr<RdkafkaHandle> handle(new RdkafkaHandle(options, std::move(settings)));
  RdkafkaConfig config(handle.get());
  RETURN_IF_ERROR(config.Fill());
  ASSIGN_OR_RETURN(handle->client_, config.Make());
  if (options.sasl && options.sasl->mechanism == api::SaslMechanism::kOAuthBearer) {
    RdkafkaError error(rd_kafka_sasl_background_callbacks_enable(handle->client_));
    if (error) return InternalError(rd_kafka_error_string(error.get()));
  }
  return handle;
}

RdkafkaHandle::~RdkafkaHandle() {
  if (client_ == nullptr) return;
  if (settings_.type == RD_KAFKA_PRODUCER) {
    rd_kafka_purge(client_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  }
  rd_kafka_destroy_flags(client_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Status RdkafkaHandle::ConnectionStatus() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return connection_;
}

Status RdkafkaHandle::Explain(Status status) const {
  const Status connection = ConnectionStatus();
  if (connection.ok()) return status;
  return {status.code(), status.message() + "; " + connection.message()};
}

void RdkafkaHandle::OnError(rd_kafka_resp_err_t error, const char* reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // "All brokers down" says less than the reason before it.
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !connection_.ok()) return;
  connection_ = Status(RdkafkaStatusCode(error), Scrub(reason));
}

void RdkafkaHandle::OnLog(int level, const char* facility, const char* text) {
  const int64_t window = std::chrono::duration_cast<std::chrono::seconds>(
                             std::chrono::steady_clock::now().time_since_epoch())
                             .count() /
                         kLogWindowSeconds;
  if (log_window_.exchange(window) != window) log_lines_ = 0;
  if (++log_lines_ > kMaxLogLinesPerWindow) return;
  Log(LevelOf(level), "kafka client", {{"about", facility}, {"text", Scrub(text)}});
}

void RdkafkaHandle::OnRequestSent(int16_t api_key) {
  if (api_key == kEndTxn) ++ends_sent_;
}

// A Secret says nothing about its token's end: it is read again every few minutes.
void RdkafkaHandle::OnTokenWanted(rd_kafka_t* client) {
  const Result<KafkaLogin> login = ReadKafkaLogin(options_);
  char reason[512] = "";
  if (login.ok()) {
    const auto end = std::chrono::system_clock::now() + kTokenLifetime;
    const int64_t end_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(end.time_since_epoch()).count();
    if (rd_kafka_oauthbearer_set_token(client, login->secret.c_str(), end_ms,
                                       login->username.c_str(), nullptr, 0, reason,
                                       sizeof(reason)) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      return;
    }
  }
  const std::string text = login.ok() ? Scrub(reason) : login.status().message();
  rd_kafka_oauthbearer_set_token_failure(client, text.c_str());
}

bool RdkafkaHandle::AcceptsCertificate(int depth, const char* bytes, size_t size,
                                       std::string* reason) const {
  if (depth > 0 || server_name_.empty()) return true;
  const auto* begin = reinterpret_cast<const unsigned char*>(bytes);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      d2i_X509(nullptr, &begin, static_cast<long>(size)), &X509_free);
  if (certificate != nullptr && X509_check_host(certificate.get(), server_name_.data(),
                                                server_name_.size(), 0, nullptr) == 1) {
    return true;
  }
  *reason = "the broker's certificate is not for " + server_name_ + " (tls.serverName)";
  return false;
}

std::string RdkafkaHandle::Scrub(std::string text) const {
  for (const std::string& secret : secrets_) {
    for (size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at)) {
      text.replace(at, secret.size(), "***");
      at += 3;
    }
  }
  return text;
}

}  // namespace millrace::worker
