#pragma once

#include <memory>
#include <string>

#include "worker/client/http_server.h"
#include "worker/source/line_buffer.h"
#include "worker/source/push_source.h"

namespace millrace::worker {

// Accepts POST requests with one record a line and answers 200 {"accepted":n} once all of them are
// durable in the push log; then they are read exactly once. Refuses with a JSON message: 401
// without the configured credentials, 404, 405, 413 over max_body_bytes, 503 with Retry-After when
// the log is full (nothing of the request is kept). Threads and errors: see PushSource; Start fails
// with kConflict when the port is taken.
class HttpSource final : public PushSource {
 public:
  HttpSource(std::string name, const api::HttpSource& spec, Framing framing,
             const SourceOptions& options);
  ~HttpSource() override { Stop(); }
  void Stop() override { server_.reset(); }
  // The port listened on; for tests with port 0. Requires: started.
  int port() const { return server_->port(); }

 private:
  Status Begin() override;
  HttpServerReply Handle(const HttpServerRequest& request);

  const api::HttpSource spec_;
  const Framing framing_;
  const std::string secrets_directory_;
  std::string authorization_;  // the header's value; empty: everybody may
  std::unique_ptr<HttpServer> server_;
};

}  // namespace millrace::worker
