// The only file that includes cpprestsdk. Its exceptions and tasks end here.
#define _TURN_OFF_PLATFORM_STRING
#include <cpprest/http_client.h>
#include <pplx/threadpool.h>
//
#include <openssl/ssl.h>

#include <charconv>
#include <condition_variable>
#include <map>
#include <mutex>

#include "crds/base/file.h"
#include "crds/base/text.h"
#include "operator/kube/transport.h"

namespace millrace::controller {
namespace {

namespace http = web::http;
using TlsContext = boost::asio::ssl::context;

constexpr size_t kMaxPemBytes = 1 << 20;
constexpr int kPoolThreads = 4;  // no continuation of ours blocks
constexpr Duration kCaCheckInterval = std::chrono::minutes(1);

MonotonicTime Now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

// Throws what asio throws for text that is no certificate or key.
void ConfigureTls(const Endpoint& endpoint, TlsContext* context) {
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  const auto buffer = [](const std::string& text) { return boost::asio::buffer(text); };
  if (!endpoint.ca_pem.empty()) {
    // The library has loaded the system's certificates: start from none.
    SSL_CTX_set_cert_store(context->native_handle(), X509_STORE_new());
    context->add_certificate_authority(buffer(endpoint.ca_pem));
  }
  if (endpoint.certificate_pem.empty()) return;
  context->use_certificate_chain(buffer(endpoint.certificate_pem));
  context->use_private_key(buffer(endpoint.key_pem), TlsContext::pem);
}

Status CheckTls(const Endpoint& endpoint) {
  try {
    TlsContext context(TlsContext::sslv23);
    ConfigureTls(endpoint, &context);
  } catch (const std::exception& error) {
    return InvalidError("the CA, client certificate or key for " + endpoint.server +
                        " cannot be used: " + error.what());
  }
  return OkStatus();
}

Status LoadCa(Endpoint* endpoint) {
  if (endpoint->ca_file.empty()) return OkStatus();
  ASSIGN_OR_RETURN(endpoint->ca_pem, ReadFile(endpoint->ca_file, kMaxPemBytes));
  if (endpoint->ca_pem.empty()) return InvalidError("CA file " + endpoint->ca_file + " is empty");
  return OkStatus();
}

// The end of one task, waited for with a deadline. Shared with the task, which may end later.
template <typename T>
struct Outcome {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool done = false;
  std::optional<T> value;
  std::exception_ptr error;
};

enum class Waited { kDone, kDeadline, kStopped };

template <typename T>
Waited Await(const pplx::task<T>& task, const std::shared_ptr<Outcome<T>>& outcome,
             std::optional<MonotonicTime> deadline, const std::stop_token& stop) {
  task.then([outcome](const pplx::task<T>& ended) {
    std::lock_guard lock(outcome->mutex);
    try {
      outcome->value = ended.get();
    } catch (...) {
      outcome->error = std::current_exception();
    }
    outcome->done = true;
    outcome->changed.notify_all();
  });
  std::unique_lock lock(outcome->mutex);
  const auto done = [&] { return outcome->done; };
  if (deadline) {
    outcome->changed.wait_until(lock, stop, *deadline, done);
  } else {
    outcome->changed.wait(lock, stop, done);
  }
  if (outcome->done) return Waited::kDone;
  return stop.stop_requested() ? Waited::kStopped : Waited::kDeadline;
}

http::http_request ToRequest(const HttpCall& call) {
  http::http_request request(call.method);
  request.set_request_uri(web::uri(call.target));
  request.headers().add("Accept", call.accept);
  request.headers().add("User-Agent", "millrace-operator");
  if (!call.bearer.empty()) request.headers().add("Authorization", "Bearer " + call.bearer);
  if (!call.body.empty()) request.set_body(call.body, call.content_type);
  return request;
}

// Whole seconds, the form the API server uses.
std::optional<Duration> RetryAfter(const http::http_headers& headers) {
  const auto found = headers.find("Retry-After");
  if (found == headers.end()) return std::nullopt;
  int64_t seconds = 0;
  const std::string& text = found->second;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr int64_t kMost = 3600;
  if (end.ec != std::errc() || seconds < 0 || seconds > kMost) return std::nullopt;
  return std::chrono::seconds(seconds);
}

// What has arrived and was not taken. The task owns the memory that it fills.
pplx::task<std::string> TakeAvailable(concurrency::streams::streambuf<uint8_t> body) {
  const auto piece = std::make_shared<std::string>(body.in_avail(), '\0');
  return body.getn(reinterpret_cast<uint8_t*>(piece->data()), piece->size())
      .then([piece](size_t taken) {
        piece->resize(taken);
        return std::move(*piece);
      });
}

// One call from its request to the last byte of its answer.
class Exchange {
 public:
  Exchange(const HttpCall& call, size_t max_body_bytes, std::stop_token stop)
      : call_(call), max_body_bytes_(max_body_bytes), stop_(std::move(stop)) {
    if (call.timeout > Duration(0)) deadline_ = Now() + call.timeout;
  }

  Result<HttpAnswer> Run(http::client::http_client* client,
                         const std::function<bool(std::string_view)>& on_bytes) {
    ASSIGN_OR_RETURN(http::http_response response,
                     Wait(client->request(ToRequest(call_), cancel_.get_token())));
    HttpAnswer answer{response.status_code(), {}, RetryAfter(response.headers())};
    const bool keep = !on_bytes || answer.status != http::status_codes::OK;
    auto body = response.body().streambuf();
    while (true) {
      ASSIGN_OR_RETURN(const int next, Wait(body.getc()));
      if (next == concurrency::streams::char_traits<uint8_t>::eof()) return answer;
      ASSIGN_OR_RETURN(const std::string piece, Wait(TakeAvailable(body)));
      if (!keep && !on_bytes(piece)) return Cancelled(AbortedError(Name() + ": not read on"));
      if (!keep) continue;
      answer.body += piece;
      if (answer.body.size() > max_body_bytes_)
        return Cancelled(InternalError(Name() + ": the answer is larger than " +
                                       std::to_string(max_body_bytes_) + " bytes"));
    }
  }

 private:
  std::string Name() const { return call_.method + " " + Excerpt(call_.target, 200); }

  Status Cancelled(Status status) {
    cancel_.cancel();
    return status;
  }

  template <typename T>
  Result<T> Wait(const pplx::task<T>& task) {
    const auto outcome = std::make_shared<Outcome<T>>();
    switch (Await(task, outcome, deadline_, stop_)) {
      case Waited::kDone:
        break;
      case Waited::kDeadline:
        return Cancelled(
            DeadlineError(Name() + ": no complete answer within " + FormatDuration(call_.timeout)));
      case Waited::kStopped:
        return Cancelled(AbortedError(Name() + ": stopped"));
    }
    std::lock_guard lock(outcome->mutex);
    if (outcome->value) return *outcome->value;
    return ToStatus(outcome->error);
  }

  Status ToStatus(const std::exception_ptr& error) const {
    try {
      std::rethrow_exception(error);
    } catch (const http::http_exception& failure) {
      if (failure.error_code() == std::errc::timed_out)
        return DeadlineError(Name() + ": nothing came for " + FormatDuration(call_.idle_timeout));
      return UnavailableError(Name() + ": " + failure.what());
    } catch (const std::exception& failure) {
      return UnavailableError(Name() + ": " + failure.what());
    } catch (...) {
      return UnavailableError(Name() + ": failed");
    }
  }

  const HttpCall& call_;
  const size_t max_body_bytes_;
  std::stop_token stop_;
  std::optional<MonotonicTime> deadline_;
  pplx::cancellation_token_source cancel_;
};

class CpprestTransport final : public Transport {
 public:
  CpprestTransport(Endpoint endpoint, TransportOptions options)
      : options_(options), endpoint_(std::move(endpoint)), ca_checked_(Now()) {}

  Result<HttpAnswer> Send(const HttpCall& call, std::stop_token stop) override {
    return Stream(call, nullptr, std::move(stop));
  }

  Result<HttpAnswer> Stream(const HttpCall& call,
                            const std::function<bool(std::string_view)>& on_bytes,
                            std::stop_token stop) override {
    try {
      const auto client = ClientFor(call.idle_timeout);
      return Exchange(call, options_.max_body_bytes, std::move(stop)).Run(client.get(), on_bytes);
    } catch (const std::exception& error) {
      return UnavailableError(call.method + " " + Excerpt(call.target, 200) + ": " + error.what());
    }
  }

 private:
  using ClientPointer = std::shared_ptr<http::client::http_client>;  // calls outlive a change of CA

  ClientPointer ClientFor(Duration idle_timeout) {
    std::lock_guard lock(mutex_);
    RenewCa();
    ClientPointer& client = clients_[idle_timeout];
    if (client) return client;
    http::client::http_client_config config;
    config.set_validate_certificates(true);
    config.set_timeout(idle_timeout);
    config.set_max_redirects(0);
    config.set_ssl_context_callback(
        [endpoint = endpoint_](TlsContext& context) { ConfigureTls(endpoint, &context); });
    client = std::make_shared<http::client::http_client>(endpoint_.server, config);
    return client;
  }

  // A CA file that changed serves new connections; one that cannot be used leaves the old one.
  void RenewCa() {
    if (endpoint_.ca_file.empty() || Now() - ca_checked_ < kCaCheckInterval) return;
    ca_checked_ = Now();
    Endpoint next = endpoint_;
    if (!LoadCa(&next).ok() || next.ca_pem == endpoint_.ca_pem || !CheckTls(next).ok()) return;
    endpoint_ = std::move(next);
    clients_.clear();
  }

  const TransportOptions options_;
  std::mutex mutex_;
  // Guarded by mutex_:
  Endpoint endpoint_;
  MonotonicTime ca_checked_;
  std::map<Duration, ClientPointer> clients_;  // by idle timeout: one for calls, one for watches
};

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.rfind("127.", 0) == 0;
}

Status CheckAddress(const std::string& server) {
  try {
    const web::uri uri(server);
    if (uri.host().empty()) return InvalidError("server \"" + Excerpt(server) + "\" has no host");
    if (uri.scheme() == "https") return OkStatus();
    if (uri.scheme() == "http" && IsLoopback(uri.host())) return OkStatus();
    return InvalidError("server " + Excerpt(server) + ": expected https://");
  } catch (const std::exception& error) {
    return InvalidError("server \"" + Excerpt(server) + "\": " + error.what());
  }
}

}  // namespace

Result<std::unique_ptr<Transport>> MakeTransport(Endpoint endpoint, TransportOptions options) {
  RETURN_IF_ERROR(CheckAddress(endpoint.server));
  RETURN_IF_ERROR(LoadCa(&endpoint));
  RETURN_IF_ERROR(CheckTls(endpoint));
  static std::once_flag pool;
  std::call_once(pool, [] { crossplat::threadpool::initialize_with_threads(kPoolThreads); });
  return std::unique_ptr<Transport>(new CpprestTransport(std::move(endpoint), options));
}

}  // namespace millrace::controller
