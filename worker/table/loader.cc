#include <sys/stat.h>

#include <cerrno>

#include "crds/base/file.h"
#include "worker/client/http_client.h"
#include "worker/client/secret.h"
#include "worker/table/content_reader.h"
#include "worker/table/kafka_table.h"
#include "worker/table/redis_table.h"
#include "worker/table/table.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxFileBytes = 256 << 20;
constexpr size_t kMaxAnswerBytes = 64 << 20;
constexpr Duration kAnswerTimeout = std::chrono::seconds(60);

// Reading a pipe or a device could block for ever.
Status CheckRegularFile(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return ErrnoError("open " + path, errno);
  if (!S_ISREG(info.st_mode)) return InvalidError(path + " is not a regular file");
  if (static_cast<uint64_t>(info.st_size) > kMaxFileBytes) {
    return InvalidError(path + " has " + std::to_string(info.st_size) +
                        " bytes; a table file has at most 256 MiB");
  }
  return OkStatus();
}

class FileTableLoader final : public TableLoader {
 public:
  FileTableLoader(std::string path, ContentReader reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}

  Result<TableVersionRef> Load() override {
    RETURN_IF_ERROR(CheckRegularFile(path_));
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(path_, kMaxFileBytes));
    return reader_.Read(std::move(bytes), path_);
  }

 private:
  std::string path_;
  ContentReader reader_;
};

class HttpTableLoader final : public TableLoader {
 public:
  HttpTableLoader(std::unique_ptr<HttpClient> client, HttpRequest request, ContentReader reader)
      : client_(std::move(client)), request_(std::move(request)), reader_(std::move(reader)) {}

  Result<TableVersionRef> Load() override {
    const std::string& target = client_->url().target;
    const std::string where = client_->url().Origin() + target.substr(0, target.find('?'));
    ASSIGN_OR_RETURN(HttpResponse response, client_->Send(request_));
    if (response.truncated) return InvalidError(where + " answers with more than 64 MiB");
    if (response.status >= 500 || response.status == 429) {
      return UnavailableError(where + " answers " + std::to_string(response.status));
    }
    if (response.status != 200)
      return InvalidError(where + " answers " + std::to_string(response.status) + ", not 200");
    return reader_.Read(std::move(response.body), where);
  }

 private:
  std::unique_ptr<HttpClient> client_;
  HttpRequest request_;
  ContentReader reader_;
};

using LoaderResult = Result<std::unique_ptr<TableLoader>>;

LoaderResult Make(const api::FileTable& file, ContentReader reader, const TableLoaderOptions&) {
  if (!file.ref.path)
    return InvalidError("configMapKeyRef needs a cluster; use path for local runs");
  return std::unique_ptr<TableLoader>(
      std::make_unique<FileTableLoader>(*file.ref.path, std::move(reader)));
}

LoaderResult Make(const api::HttpTable& http, ContentReader reader,
                  const TableLoaderOptions& table_options) {
  const std::string& secrets_directory = table_options.secrets_directory;
  HttpRequest request;
  if (http.auth) {
    ASSIGN_OR_RETURN(
        std::string value,
        AuthorizationFromSecret(secrets_directory, http.auth->secret_name, http.auth->username));
    request.headers.emplace_back("Authorization", std::move(value));
  }
  HttpClientOptions options;
  options.timeout = kAnswerTimeout;
  options.max_body_bytes = kMaxAnswerBytes;
  if (http.tls) {
    ASSIGN_OR_RETURN(options.tls, TlsFromSecret(secrets_directory, http.tls->secret_name,
                                                http.tls->server_name));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<HttpClient> client, HttpClient::Create(http.url, options));
  return std::unique_ptr<TableLoader>(
      std::make_unique<HttpTableLoader>(std::move(client), std::move(request), std::move(reader)));
}

// Kinds that ContentReader::Create has refused.
template <typename Kind>
LoaderResult Make(const Kind&, ContentReader, const TableLoaderOptions&) {
  return InvalidError("tables of this kind are not loaded");
}

}  // namespace

Result<std::unique_ptr<TableLoader>> MakeTableLoader(const api::Table& table,
                                                     const TableLoaderOptions& options) {
  if (const auto* kafka = std::get_if<api::KafkaTable>(&table.kind)) {
    LoaderResult loader = MakeKafkaTableLoader(table, *kafka, options);
    return loader.ok() ? std::move(loader) : loader.status().WithContext("table " + table.name);
  }
  if (const auto* redis = std::get_if<api::RedisTable>(&table.kind)) {
    LoaderResult loader = MakeRedisTableLoader(table, *redis, options);
    return loader.ok() ? std::move(loader) : loader.status().WithContext("table " + table.name);
  }
  Result<ContentReader> reader = ContentReader::Create(table);
  if (!reader.ok()) return reader.status();
  LoaderResult loader = std::visit(
      [&](const auto& kind) { return Make(kind, std::move(reader).value(), options); }, table.kind);
  if (!loader.ok()) return loader.status().WithContext("table " + table.name);
  return loader;
}

}  // namespace millrace::worker
