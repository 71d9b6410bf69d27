#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/secret.h"
#include "worker/client/url.h"

namespace millrace::worker {

struct HttpRequest {
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the first of repeated ones
  std::string body;
  bool truncated = false;  // the body was longer than max_body_bytes; `body` is its beginning
};

struct HttpClientOptions {
  Duration connect_timeout = std::chrono::seconds(5);
  Duration timeout = std::chrono::seconds(10);  // of one whole exchange, connect included
  size_t max_body_bytes = 10 << 20;             // of responses, after decompression
  TlsFiles tls;
};

// A kept-alive connection to one address, over cpp-httplib. Certificates are always verified.
// Redirects within the same scheme, host and port are followed (at most 5; other methods than GET
// only for 307 and 308); to anywhere else they are refused, so that headers and bodies never reach
// another host. An answer takes bounded memory: a head, and what stands between two pieces of a
// body, end at 256 KiB. Never throws. Thread-compatible: one exchange at a time. Owns its socket.
// Errors of Send: kUnavailable (no connection, certificate refused, connection lost), kDeadline
// (timeout), kInvalid (redirect to another place). Any HTTP status is a response, not an error.
class HttpClient {
 public:
  // kInvalid for an address, CA file, certificate or key that cannot be used; the message names the
  // file. Does not connect.
  static Result<std::unique_ptr<HttpClient>> Create(std::string_view url,
                                                    const HttpClientOptions& options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Blocks for at most `timeout` and name resolution.
  Result<HttpResponse> Send(const HttpRequest& request);
  const Url& url() const { return url_; }

 private:
  struct Impl;
  HttpClient(Url url, std::unique_ptr<Impl> impl);
  Result<HttpResponse> Exchange(const HttpRequest& request, const Url& url, MonotonicTime deadline);

  Url url_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::worker
