#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "crds/base/clock.h"
#include "crds/base/status.h"

namespace millrace::controller {

struct HttpCall {
  std::string method = "GET";
  std::string target;  // path and query
  std::string accept = "application/json";
  std::string content_type;  // of body
  std::string body;
  std::string bearer;                                // token; empty: none
  Duration timeout = std::chrono::seconds(15);       // of all of it; zero: as long as bytes come
  Duration idle_timeout = std::chrono::seconds(15);  // between two bytes
};

struct HttpAnswer {
  int status = 0;
  std::string body;  // at most the limit of the transport
  std::optional<Duration> retry_after;
};

// Exchanges with one server. Any HTTP status is an answer, no error. Thread-safe: any number of
// calls at once. Errors: kUnavailable (no connection, certificate refused, connection lost),
// kDeadline (one of the two timeouts), kAborted (stopped, or on_bytes asked for it), kInternal (the
// answer is larger than the limit).
class Transport {
 public:
  virtual ~Transport() = default;

  // Blocks for the whole answer.
  virtual Result<HttpAnswer> Send(const HttpCall& call, std::stop_token stop) = 0;
  // As Send, but the body of a 200 goes to `on_bytes` piece by piece as it arrives, on this thread;
  // returns at its end. `on_bytes` returns false to have no more of it.
  virtual Result<HttpAnswer> Stream(const HttpCall& call,
                                    const std::function<bool(std::string_view)>& on_bytes,
                                    std::stop_token stop) = 0;
};

// Where the API server is and by which certificates the two sides know each other.
struct Endpoint {
  std::string server;           // https://host:port; http:// for loopback addresses only
  std::string ca_file;          // read again when it changed; or
  std::string ca_pem;           // else the certificates of the system
  std::string certificate_pem;  // of the client, with its key; or none
  std::string key_pem;
};

struct TransportOptions {
  size_t max_body_bytes = size_t{64} << 20;
};

// A transport over cpprestsdk. The certificate of the server is always verified, against the given
// CA alone if there is one. kInvalid or kNotFound for an address, CA, certificate or key that
// cannot be used. Does not connect.
Result<std::unique_ptr<Transport>> MakeTransport(Endpoint endpoint, TransportOptions options = {});

}  // namespace millrace::controller
