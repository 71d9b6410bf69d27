#include "worker/sink/factory.h"

#include "crds/base/text.h"
#include "worker/client/compression.h"
#include "worker/client/http_client.h"
#include "worker/client/secret.h"
#include "worker/data/format.h"
#include "worker/expr/program.h"
#include "worker/sink/console/console_sink.h"
#include "worker/sink/file/file_sink.h"
#include "worker/sink/http/http_sink.h"
#include "worker/sink/kafka/kafka_setup.h"
#include "worker/sink/redis/redis_setup.h"

namespace millrace::worker {
namespace {

using SinkResult = Result<std::unique_ptr<Sink>>;

Result<std::unique_ptr<Encoder>> EncoderOf(const api::Sink& spec, const Projection& projection) {
  if (!spec.format) return InvalidError("sink " + spec.name + " needs a format");
  return MakeEncoder(*spec.format, projection.schema());
}

Codec CodecOf(api::Compression compression) {
  switch (compression) {
    case api::Compression::kGzip:
      return Codec::kGzip;
    case api::Compression::kZstd:
      return Codec::kZstd;
    case api::Compression::kNone:
    case api::Compression::kAuto:
    case api::Compression::kSnappy:
    case api::Compression::kLz4:
      break;
  }
  return Codec::kNone;
}

SinkResult Make(const api::ConsoleSink& console, const api::Sink& spec,
                const SinkOptions& options) {
  const Projection projection(*options.schema, spec.fields);
  std::unique_ptr<Encoder> encoder;
  if (spec.format) {
    ASSIGN_OR_RETURN(encoder, EncoderOf(spec, projection));
  }
  std::shared_ptr<Screen> screen = options.screen;
  if (screen == nullptr) {
    screen = std::make_shared<Screen>(options.interactive ? Screen::Detect() : Screen::Options{});
  }
  ConsoleSinkOptions sink{spec.name, console.rows, options.updating, options.update_key};
  return std::unique_ptr<Sink>(std::make_unique<ConsoleSink>(
      std::move(sink), projection, std::move(encoder), std::move(screen)));
}

SinkResult Make(const api::FileSink& file, const api::Sink& spec, const SinkOptions& options) {
  const Projection projection(*options.schema, spec.fields);
  ASSIGN_OR_RETURN(std::unique_ptr<Encoder> encoder, EncoderOf(spec, projection));
  FileSinkOptions sink{file.path, options.source_stream, CodecOf(file.compression),
                       nullptr,   options.clock,         options.stop};
  if (file.path_expr) {
    const Type expected(Kind::kString);
    std::vector<ExprError> errors;
    ASSIGN_OR_RETURN(sink.path_expr,
                     Program::Compile(*file.path_expr, {*options.schema, {}}, &errors, &expected));
  }
  return std::unique_ptr<Sink>(
      std::make_unique<FileSink>(std::move(sink), projection, std::move(encoder)));
}

bool HasHeader(const std::vector<std::pair<std::string, std::string>>& headers,
               std::string_view name) {
  for (const auto& header : headers) {
    if (ToLowerAscii(header.first) == name) return true;
  }
  return false;
}

SinkResult Make(const api::HttpSink& http, const api::Sink& spec, const SinkOptions& options) {
  const Projection projection(*options.schema, spec.fields);
  ASSIGN_OR_RETURN(std::unique_ptr<Encoder> encoder, EncoderOf(spec, projection));
  HttpSinkOptions sink;
  sink.job_id = options.job_id;
  sink.name = spec.name;
  sink.method = http.method == api::HttpSink::Method::kPut ? "PUT" : "POST";
  sink.headers.assign(http.headers.begin(), http.headers.end());
  sink.rows_per_request = http.rows_per_request;
  sink.clock = options.clock;
  sink.stop = options.stop;
  if (!HasHeader(sink.headers, "content-type")) {
    sink.headers.emplace_back("Content-Type",
                              ContentTypeOf(encoder->extension(), http.rows_per_request));
  }
  if (http.auth) {
    ASSIGN_OR_RETURN(std::string value,
                     AuthorizationFromSecret(options.secrets_directory, http.auth->secret_name,
                                             http.auth->username));
    sink.headers.emplace_back("Authorization", std::move(value));
  }
  HttpClientOptions client_options;
  client_options.timeout = http.timeout;
  client_options.max_body_bytes = 64 << 10;  // answers are looked at for messages only
  if (http.tls) {
    ASSIGN_OR_RETURN(
        client_options.tls,
        TlsFromSecret(options.secrets_directory, http.tls->secret_name, http.tls->server_name));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<HttpClient> client,
                   HttpClient::Create(http.url, client_options));
  return std::unique_ptr<Sink>(std::make_unique<HttpSink>(std::move(sink), projection,
                                                          std::move(encoder), std::move(client)));
}

SinkResult NotSupported(const std::string& kind) {
  return InvalidError(kind + " sinks are not supported yet");
}
SinkResult Make(const api::KafkaSink& kafka, const api::Sink& spec, const SinkOptions& options) {
  return MakeKafkaSink(kafka, spec, options);
}
SinkResult Make(const api::RedisSink& redis, const api::Sink& spec, const SinkOptions& options) {
  return MakeRedisSink(redis, spec, options);
}
SinkResult Make(const api::SqlSink&, const api::Sink&, const SinkOptions&) {
  return NotSupported("sql");
}
SinkResult Make(const api::ElasticsearchSink&, const api::Sink&, const SinkOptions&) {
  return NotSupported("elasticsearch");
}

}  // namespace

Result<std::unique_ptr<Sink>> MakeSink(const api::Sink& spec, const SinkOptions& options) {
  CHECK(options.schema != nullptr && options.clock != nullptr);
  api::Diagnostics problems;
  CheckSink(spec, *options.schema, options.updating, &problems, "sink " + spec.name);
  for (const api::Diagnostic& problem : problems) {
    if (!problem.warning) return InvalidError(problem.path + ": " + problem.message);
  }
  return std::visit([&](const auto& kind) { return Make(kind, spec, options); }, spec.kind);
}

}  // namespace millrace::worker
