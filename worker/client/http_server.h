#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"

namespace millrace::worker {

struct HttpServerRequest {
  std::string method;                          // "POST"
  std::string path;                            // without the query
  std::map<std::string, std::string> headers;  // names in lower case; the first of repeated ones
  std::string body;
  std::map<std::string, std::string> query;  // decoded; the last of repeated names
};

struct HttpServerReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers;
};

// {"error":"..."} with the given status.
HttpServerReply HttpServerError(int status, const std::string& message);

struct HttpRoute {
  std::string method;  // GET (answers HEAD too) or POST
  std::string path;    // the whole path; one that ends with "/*" stands for all below it
  // Called from several threads at once; must not throw. Runs while the server exists.
  std::function<HttpServerReply(const HttpServerRequest&)> handler;
};

struct HttpServerOptions {
  std::string host = "0.0.0.0";
  int port = 0;  // 0: a free one
  size_t max_body_bytes = 1 << 20;
  // For the head of a request, between two reads of its body, and for the reply.
  Duration read_timeout = std::chrono::seconds(5);
  int threads = 16;  // connections served at once
};

// A small HTTP/1.1 server for sources, metrics and status. Listens from Start until destruction,
// which waits for running handlers and their replies only. Answers itself, with a JSON message: 404
// for other paths, 405 for other methods, 413 for larger bodies (counted unpacked), 415 for forms,
// 500 when a handler fails. Clients cannot make it hold more than a head of 256 KiB and a body of
// `max_body_bytes` each, nor keep a thread for longer than read_timeout and 30 s. Thread-safe.
class HttpServer {
 public:
  // kConflict when the port is taken, kInvalid when host or port cannot be used; both name the
  // address.
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                   std::vector<HttpRoute> routes);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::worker
