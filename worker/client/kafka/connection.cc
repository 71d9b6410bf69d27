#include "worker/client/kafka/connection.h"

#include <optional>
#include <utility>

#include "worker/client/kafka/error_code.h"
#include "worker/client/kafka/sasl.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {
namespace {

constexpr size_t kSizeBytes = 4;
constexpr int64_t kMinResponse = 4;        // the correlation id
constexpr unsigned char kTlsAlert = 0x15;  // first byte of a TLS record, then the major version 3

}  // namespace

Result<std::unique_ptr<KafkaConnection>> KafkaConnection::Open(const BrokerAddress& address,
                                                               const ConnectionOptions& options,
                                                               const CallLimit& limit) {
  std::optional<TlsFiles> tls;
  if (options.client.tls) {
    ASSIGN_OR_RETURN(
        tls, TlsFromSecret(options.client.secrets_directory, options.client.tls->secret_name,
                           options.client.tls->server_name));
  }
  ASSIGN_OR_RETURN(auto transport, Transport::Connect(address, tls ? &*tls : nullptr,
                                                      options.settings, options.clock, limit));
  std::unique_ptr<KafkaConnection> connection(new KafkaConnection(std::move(transport), options));
  RETURN_IF_ERROR(connection->CheckVersions(limit));
  if (options.client.sasl) RETURN_IF_ERROR(connection->SignIn(limit));
  return connection;
}

Status KafkaConnection::CheckVersions(const CallLimit& limit) {
  ASSIGN_OR_RETURN(const KafkaBody answer, Call(kApiVersions, EncodeApiVersions(), limit));
  return CheckApiVersions(answer.body).WithContext("broker " + address().text());
}

Status KafkaConnection::SignIn(const CallLimit& limit) {
  const MonotonicTime started = options_.clock->Monotonic();
  const Result<Duration> lifetime = Authenticate(options_.client, this, limit);
  if (!lifetime.ok()) return lifetime.status().WithContext("sign in to " + address().text());
  // A broker ends sessions that are not renewed in time; a new connection takes over before.
  if (*lifetime > Duration(0)) expires_ = started + *lifetime * 8 / 10;
  return OkStatus();
}

Status KafkaConnection::Send(const KafkaApi& api, std::string_view body, const CallLimit& limit) {
  std::string request(kSizeBytes, '\0');
  KafkaWriter header(&request);
  header.I16(api.key);
  header.I16(api.version);
  header.I32(++sent_);
  header.String(options_.settings.client_id);
  if (api.flexible) header.NoTags();
  header.Raw(body);
  std::string size;
  KafkaWriter(&size).I32(static_cast<int32_t>(request.size() - kSizeBytes));
  request.replace(0, kSizeBytes, size);
  const Status status = transport_->Write(request, limit);
  if (!status.ok()) broken_ = true;
  return status;
}

Result<KafkaBody> KafkaConnection::Receive(const KafkaApi& api, const CallLimit& limit) {
  Result<KafkaBody> body = ReceiveBody(api, limit);
  if (!body.ok()) {
    broken_ = true;
    return body.status().WithContext(std::string(api.name));
  }
  ++answered_;
  return body;
}

Result<KafkaBody> KafkaConnection::ReceiveBody(const KafkaApi& api, const CallLimit& limit) {
  char raw[kSizeBytes];
  bool closed = false;
  if (const Status status = transport_->Read(raw, sizeof raw, limit, &closed); !status.ok()) {
    return closed ? Status(status.code(), status.message() + HintAtClose()) : status;
  }
  const auto size = LoadBigEndian<int32_t>(raw);
  RETURN_IF_ERROR(CheckSize(size, raw));
  KafkaBody body{options_.buffers->Take(static_cast<size_t>(size)), {}};
  RETURN_IF_ERROR(transport_->Read(body.buffer.data.get(), body.buffer.size, limit));
  KafkaReader reader(body.buffer.view());
  if (reader.I32() != answered_ + 1) {
    return InternalError(address().text() + " answers a request that was not asked");
  }
  if (api.flexible && api.key != kApiVersions.key) reader.SkipTags();
  RETURN_IF_ERROR(reader.Finish("header of an answer of " + address().text()));
  body.body = std::string_view(reader.position(), reader.remaining());
  return body;
}

Status KafkaConnection::CheckSize(int64_t size, const char* first) const {
  if (answered_ == 0 && static_cast<unsigned char>(first[0]) == kTlsAlert && first[1] == 3) {
    return InvalidError(address().text() + " wants TLS; set tls");
  }
  if (size >= kMinResponse && size <= options_.settings.max_response_bytes) return OkStatus();
  if (answered_ == 0) return InvalidError(address().text() + " is no Kafka broker");
  return InternalError(address().text() + " answers with " + std::to_string(size) +
                       " bytes; at most " + std::to_string(options_.settings.max_response_bytes) +
                       " are accepted (property receive.message.max.bytes)");
}

std::string KafkaConnection::HintAtClose() const {
  if (answered_ == 0 && !options_.client.tls)
    return " at the first request; does the port want TLS?";
  if (answered_ == 1 && !options_.client.sasl)
    return " instead of answering; does the port want sasl?";
  return "";
}

Result<KafkaBody> KafkaConnection::Call(const KafkaApi& api, std::string_view body,
                                        const CallLimit& limit) {
  RETURN_IF_ERROR(Send(api, body, limit));
  return Receive(api, limit);
}

bool KafkaConnection::usable() const {
  return !broken_ && sent_ == answered_ && options_.clock->Monotonic() < expires_ &&
         !transport_->stale();
}

}  // namespace millrace::worker
