#include "worker/source/http/http_source.h"

#include "worker/client/secret.h"

namespace millrace::worker {
namespace {

// In time that depends on the lengths only.
bool EqualSecrets(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

HttpSource::HttpSource(std::string name, const api::HttpSource& spec, Framing framing,
                       const SourceOptions& options)
    : PushSource(std::move(name), options),
      spec_(spec),
      framing_(framing),
      secrets_directory_(options.secrets_directory) {}

Status HttpSource::Begin() {
  if (spec_.auth) {
    ASSIGN_OR_RETURN(
        authorization_,
        AuthorizationFromSecret(secrets_directory_, spec_.auth->secret_name, spec_.auth->username));
  }
  HttpServerOptions options;
  options.port = spec_.port;
  options.max_body_bytes = static_cast<size_t>(spec_.max_body_bytes);
  auto server = HttpServer::Start(
      options,
      {{"POST", spec_.path, [this](const HttpServerRequest& request) { return Handle(request); }}});
  if (!server.ok()) return server.status();
  server_ = std::move(server).value();
  return OkStatus();
}

HttpServerReply HttpSource::Handle(const HttpServerRequest& request) {
  if (!authorization_.empty()) {
    const auto sent = request.headers.find("authorization");
    if (sent == request.headers.end() || !EqualSecrets(sent->second, authorization_)) {
      HttpServerReply reply = HttpServerError(401, "missing or wrong credentials");
      reply.headers["WWW-Authenticate"] = authorization_.starts_with("Basic") ? "Basic" : "Bearer";
      return reply;
    }
  }
  std::vector<std::string_view> records;
  SplitRecords(framing_, request.body, /*at_end=*/true, &records);
  const Status status = log().Append(records);
  if (status.code() == StatusCode::kUnavailable) {
    HttpServerReply reply =
        HttpServerError(503, "too many records wait to be processed; try again");
    reply.headers["Retry-After"] = "1";
    return reply;
  }
  if (!status.ok()) return HttpServerError(500, "records cannot be stored");
  HttpServerReply reply;
  reply.body = "{\"accepted\":" + std::to_string(records.size()) + "}\n";
  return reply;
}

}  // namespace millrace::worker
