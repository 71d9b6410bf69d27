#include "worker/client/kafka/rdkafka_config.h"

#include <algorithm>
#include <cstdio>

#include "crds/base/text.h"
#include "worker/client/secret.h"

namespace millrace::worker {
namespace {

std::string_view MechanismName(api::SaslMechanism mechanism) {
  switch (mechanism) {
    case api::SaslMechanism::kPlain:
      return "PLAIN";
    case api::SaslMechanism::kScramSha256:
      return "SCRAM-SHA-256";
    case api::SaslMechanism::kScramSha512:
      return "SCRAM-SHA-512";
    case api::SaslMechanism::kOAuthBearer:
      return "OAUTHBEARER";
  }
  return "";
}

constexpr const char* kWatcher = "millrace";  // of requests

}  // namespace

Status RdkafkaConfig::Set(const std::string& name, const std::string& value) {
  char reason[512] = "";
  if (rd_kafka_conf_set(conf_.get(), name.c_str(), value.c_str(), reason, sizeof(reason)) ==
      RD_KAFKA_CONF_OK) {
    return OkStatus();
  }
  return InvalidError("Kafka property " + name + ": " + handle_->Scrub(reason));
}

Status RdkafkaConfig::Fill() {
  const KafkaClientOptions& options = handle_->options_;
  RETURN_IF_ERROR(Set("bootstrap.servers", Join(options.brokers, ",")));
  RETURN_IF_ERROR(Set("client.id", options.client_id));
  for (const auto& [name, value] : handle_->settings_.defaults) RETURN_IF_ERROR(Set(name, value));
  for (const auto& [name, value] : options.properties) RETURN_IF_ERROR(Set(name, value));
  for (const auto& [name, value] : handle_->settings_.forced) RETURN_IF_ERROR(Set(name, value));
  RETURN_IF_ERROR(SetSecurity());
  SetCallbacks();
  return OkStatus();
}

Status RdkafkaConfig::SetSecurity() {
  const KafkaClientOptions& options = handle_->options_;
  const std::string protocol = options.tls ? "ssl" : "plaintext";
  RETURN_IF_ERROR(Set("security.protocol", options.sasl ? "sasl_" + protocol : protocol));
  if (options.tls) RETURN_IF_ERROR(SetTls());
  return options.sasl ? SetSasl() : OkStatus();
}

Status RdkafkaConfig::SetTls() {
  const api::Tls& tls = *handle_->options_.tls;
  ASSIGN_OR_RETURN(const TlsFiles files, TlsFromSecret(handle_->options_.secrets_directory,
                                                       tls.secret_name, tls.server_name));
  RETURN_IF_ERROR(Set("enable.ssl.certificate.verification", "true"));
  if (!files.ca_file.empty()) RETURN_IF_ERROR(Set("ssl.ca.location", files.ca_file));
  if (!files.certificate_file.empty()) {
    RETURN_IF_ERROR(Set("ssl.certificate.location", files.certificate_file));
    RETURN_IF_ERROR(Set("ssl.key.location", files.key_file));
  }
  handle_->server_name_ = files.server_name;
  if (files.server_name.empty()) return Set("ssl.endpoint.identification.algorithm", "https");
  // The library compares with the broker's host only; AcceptsCertificate compares instead.
  rd_kafka_conf_set_ssl_cert_verify_cb(
      conf_.get(), [](rd_kafka_t*, const char*, int32_t, int* x509_error, int depth,
                      const char* bytes, size_t size, char* text, size_t text_size, void* opaque) {
        if (*x509_error != 0) return 0;
        std::string reason;
        if (static_cast<RdkafkaHandle*>(opaque)->AcceptsCertificate(depth, bytes, size, &reason)) {
          return 1;
        }
        std::snprintf(text, text_size, "%s", reason.c_str());
        return 0;
      });
  return Set("ssl.endpoint.identification.algorithm", "none");
}

Status RdkafkaConfig::SetSasl() {
  const api::SaslMechanism mechanism = handle_->options_.sasl->mechanism;
  ASSIGN_OR_RETURN(const KafkaLogin login, ReadKafkaLogin(handle_->options_));
  handle_->secrets_.push_back(login.secret);
  RETURN_IF_ERROR(Set("sasl.mechanisms", std::string(MechanismName(mechanism))));
  if (mechanism == api::SaslMechanism::kOAuthBearer) {
    rd_kafka_conf_enable_sasl_queue(conf_.get(), 1);
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(
        conf_.get(), [](rd_kafka_t* client, const char*, void* opaque) {
          static_cast<RdkafkaHandle*>(opaque)->OnTokenWanted(client);
        });
    return OkStatus();
  }
  RETURN_IF_ERROR(Set("sasl.username", login.username));
  return Set("sasl.password", login.secret);
}

void RdkafkaConfig::WatchRequests() {
  rd_kafka_conf_interceptor_add_on_new(
      conf_.get(), kWatcher,
      [](rd_kafka_t* client, const rd_kafka_conf_t*, void* opaque, char*, size_t) {
        return rd_kafka_interceptor_add_on_request_sent(
            client, kWatcher,
            [](rd_kafka_t*, int, const char*, int32_t, int16_t key, int16_t, int32_t, size_t,
               void* handle) {
              static_cast<RdkafkaHandle*>(handle)->OnRequestSent(key);
              return RD_KAFKA_RESP_ERR_NO_ERROR;
            },
            opaque);
      },
      handle_);
}

void RdkafkaConfig::SetCallbacks() {
  rd_kafka_conf_t* conf = conf_.get();
  WatchRequests();
  rd_kafka_conf_set_opaque(conf, handle_);
  rd_kafka_conf_set_log_cb(
      conf, [](const rd_kafka_t* client, int level, const char* facility, const char* text) {
        static_cast<RdkafkaHandle*>(rd_kafka_opaque(client))->OnLog(level, facility, text);
      });
  rd_kafka_conf_set_error_cb(conf, [](rd_kafka_t*, int error, const char* reason, void* opaque) {
    static_cast<RdkafkaHandle*>(opaque)->OnError(static_cast<rd_kafka_resp_err_t>(error), reason);
  });
  if (handle_->settings_.on_failed_record) {
    rd_kafka_conf_set_dr_msg_cb(
        conf, [](rd_kafka_t*, const rd_kafka_message_t* record, void* opaque) {
          if (record->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            static_cast<RdkafkaHandle*>(opaque)->settings_.on_failed_record(*record);
          }
        });
  }
}

Result<rd_kafka_t*> RdkafkaConfig::Make() {
  char reason[512] = "";
  rd_kafka_t* client = rd_kafka_new(handle_->settings_.type, conf_.get(), reason, sizeof(reason));
  if (client == nullptr) return InvalidError("Kafka client: " + handle_->Scrub(reason));
  conf_.release();  // owned by the client now
  return client;
}

}  // namespace millrace::worker
