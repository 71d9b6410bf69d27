#include "worker/client/http_client.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <type_traits>

#include "crds/base/text.h"
#include "worker/client/http_stream.h"
#include "worker/client/tls_files.h"

namespace millrace::worker {
namespace {

constexpr int kMaxRedirects = 5;

MonotonicTime Now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

// Closes the client's connection when `deadline` passes before this object dies. httplib's own
// timeouts count from byte to byte, so that a peer that sends slowly enough would never meet them.
class Watchdog {
 public:
  Watchdog(httplib::ClientImpl* client, MonotonicTime deadline)
      : client_(client), deadline_(deadline), thread_([this] { Run(); }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    if (!wake_.wait_until(lock, deadline_, [this] { return done_; })) client_->stop();
  }

  httplib::ClientImpl* client_;
  MonotonicTime deadline_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::jthread thread_;
};

// httplib's client, plain or TLS, on streams that bound what the peer sends. `intake` is that of
// the exchange in work.
template <typename Base>
class BoundedClient final : public Base {
 public:
  template <typename... Args>
  BoundedClient(HttpIntake* intake, Duration timeout, const Args&... args)
      : Base(args...), intake_(intake), timeout_(timeout) {}

 private:
  bool process_socket(const typename Base::Socket& socket,
                      std::function<bool(httplib::Stream&)> exchange) override {
    HttpStream stream(socket.sock, socket.ssl, timeout_, intake_);
    return exchange(stream);
  }

  HttpIntake* intake_;
  Duration timeout_;
};

// Counts what a TLS peer sends while its records come in, and ends the connection when that is more
// than `intake` allows. A record is counted before its content is read.
void CountRecord(int write, int /*version*/, int type, const void* bytes, size_t size, SSL* tls,
                 void* intake) {
  constexpr size_t kHeadBytes = 5;
  if (write != 0 || type != SSL3_RT_HEADER || size < kHeadBytes) return;
  const auto* const head = static_cast<const unsigned char*>(bytes);
  if (head[0] != SSL3_RT_APPLICATION_DATA) return;
  const size_t length = static_cast<size_t>(head[3]) << 8 | head[4];
  auto* const counted = static_cast<HttpIntake*>(intake);
  if (counted->left == 0) {
    counted->overrun = true;
    SSL_set_shutdown(tls, SSL_get_shutdown(tls) | SSL_RECEIVED_SHUTDOWN);
  }
  counted->left -= std::min(counted->left, length);
}

// A client whose peer is bounded by `intake`, which outlives it. httplib's later TLS clients are
// final and keep their streams to themselves; there the records are counted.
template <typename Base, typename... Args>
std::unique_ptr<httplib::ClientImpl> MakeClient(HttpIntake* intake, Duration timeout,
                                                const Args&... args) {
  if constexpr (std::is_final_v<Base>) {
    auto client = std::make_unique<Base>(args...);
    if (SSL_CTX* const context = client->ssl_context(); context != nullptr) {
      SSL_CTX_set_msg_callback(context, CountRecord);
      SSL_CTX_set_msg_callback_arg(context, intake);
    }
    return client;
  } else {
    return std::make_unique<BoundedClient<Base>>(intake, timeout, args...);
  }
}

// The numeric address of `host`: what httplib wants when the name in the certificate is not the
// name to connect to.
Result<std::string> ResolveAddress(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    return UnavailableError("resolving " + host + ": " + gai_strerror(error));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, &freeaddrinfo);
  char text[NI_MAXHOST];
  if (getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) !=
      0) {
    return UnavailableError("resolving " + host + ": no address");
  }
  return std::string(text);
}

Status CheckHeaders(const HttpRequest& request) {
  for (const auto& [name, value] : request.headers) {
    const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
             std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
    if (!token) return InvalidError("\"" + Excerpt(name) + "\" is not a header name");
    if (std::any_of(value.begin(), value.end(), [](char c) {
          return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
        })) {
      return InvalidError("header " + name + " has a control byte in its value");
    }
  }
  return OkStatus();
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

httplib::Request ToHttplib(const HttpRequest& request, const Url& url) {
  httplib::Request out;
  out.method = request.method;
  out.path = url.target;
  for (const auto& [name, value] : request.headers) out.headers.emplace(name, value);
  out.headers.emplace("Host", url.Authority());
  if (!out.has_header("Accept-Encoding")) out.headers.emplace("Accept-Encoding", "identity");
  if (!out.has_header("User-Agent")) out.headers.emplace("User-Agent", "millrace");
  out.body = request.body;
  return out;
}

HttpResponse FromHttplib(const httplib::Response& response) {
  HttpResponse out;
  out.status = response.status;
  for (const auto& [name, value] : response.headers) {
    out.headers.emplace(ToLowerAscii(name), value);
  }
  return out;
}

}  // namespace

struct HttpClient::Impl {
  HttpClientOptions options;
  HttpIntake intake;
  std::unique_ptr<httplib::ClientImpl> client;
  bool tls = false;
  std::string server_name;  // what the certificate must be for

  std::string ErrorText(httplib::Error error) const;
};

std::string HttpClient::Impl::ErrorText(httplib::Error error) const {
  if (intake.overrun) {
    return "the answer has more than " + std::to_string(HttpIntake::kMaxBytes >> 10) +
           " KiB of headers, or of chunk sizes without content";
  }
  if (error == httplib::Error::SSLServerVerification) {
    const long reason = static_cast<httplib::SSLClient*>(client.get())->get_openssl_verify_result();
    if (reason == X509_V_OK) {
      return "the server's certificate is for another host than " + server_name +
             "; if it is the right one, set tls.serverName to a name in it";
    }
    return std::string("the server's certificate is refused: ") +
           X509_verify_cert_error_string(reason);
  }
  if (error == httplib::Error::SSLLoadingCerts) return "the CA file cannot be loaded";
  if (error == httplib::Error::SSLConnection) return "the TLS handshake failed";
  if (error == httplib::Error::Connection) return "no connection";
  if (error == httplib::Error::Read)
    return "the connection was lost before the answer was complete";
  if (error == httplib::Error::Write) return "the connection was lost while sending";
  return httplib::to_string(error);
}

HttpClient::HttpClient(Url url, std::unique_ptr<Impl> impl)
    : url_(std::move(url)), impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::Create(std::string_view text,
                                                       const HttpClientOptions& options) {
  ASSIGN_OR_RETURN(Url url, ParseUrl(text));
  const TlsFiles& tls = options.tls;
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->tls = url.tls;
  if (url.tls) {
    RETURN_IF_ERROR(CheckTlsFiles(tls));
    impl->server_name = tls.server_name.empty() ? url.host : tls.server_name;
    impl->client = MakeClient<httplib::SSLClient>(&impl->intake, options.timeout, impl->server_name,
                                                  url.port, tls.certificate_file, tls.key_file);
    if (!impl->client->is_valid()) {
      return InvalidError("client certificate " + tls.certificate_file + " and key " +
                          tls.key_file + " cannot be loaded");
    }
    if (!tls.ca_file.empty()) impl->client->set_ca_cert_path(tls.ca_file);
    impl->client->enable_server_certificate_verification(true);
  } else {
    impl->client =
        MakeClient<httplib::ClientImpl>(&impl->intake, options.timeout, url.host, url.port);
  }
  impl->client->set_keep_alive(true);
  impl->client->set_follow_location(false);
  impl->client->set_url_encode(false);
  impl->client->set_tcp_nodelay(true);
  impl->client->set_connection_timeout(std::min(options.connect_timeout, options.timeout));
  impl->client->set_read_timeout(options.timeout);
  impl->client->set_write_timeout(options.timeout);
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(url), std::move(impl)));
}

Result<HttpResponse> HttpClient::Exchange(const HttpRequest& request, const Url& url,
                                          MonotonicTime deadline) {
  const std::string& server_name = impl_->options.tls.server_name;
  if (impl_->tls && !server_name.empty() && server_name != url.host) {
    ASSIGN_OR_RETURN(const std::string address, ResolveAddress(url.host));
    impl_->client->set_hostname_addr_map({{server_name, address}});
  }
  httplib::Request out = ToHttplib(request, url);
  HttpResponse response;
  out.response_handler = [&response](const httplib::Response& head) {
    response = FromHttplib(head);
    return true;
  };
  out.content_receiver = [&](const char* data, size_t size, uint64_t, uint64_t) {
    impl_->intake.Refill();
    const size_t room = impl_->options.max_body_bytes - response.body.size();
    response.body.append(data, std::min(size, room));
    response.truncated = size > room;
    return !response.truncated;
  };
  impl_->intake = {.deadline = deadline};
  Watchdog watchdog(impl_->client.get(), deadline);
  const httplib::Result result = impl_->client->send(out);
  if (result || response.truncated) {
    if (result && response.status == 0) response = FromHttplib(*result);
    return response;
  }
  const std::string what = request.method + " " + url.Origin();
  const bool timed_out = impl_->intake.timed_out || Now() >= deadline;
  if (timed_out || httplib::to_string(result.error()).find("timed out") != std::string::npos) {
    return DeadlineError(what + ": no complete answer within " +
                         FormatDuration(impl_->options.timeout));
  }
  return UnavailableError(what + ": " + impl_->ErrorText(result.error()));
}

Result<HttpResponse> HttpClient::Send(const HttpRequest& request) {
  RETURN_IF_ERROR(CheckHeaders(request));
  const MonotonicTime deadline = Now() + impl_->options.timeout;
  Url url = url_;
  try {
    for (int hop = 0; hop <= kMaxRedirects; ++hop) {
      ASSIGN_OR_RETURN(HttpResponse response, Exchange(request, url, deadline));
      const auto location = response.headers.find("location");
      const bool keeps_method = response.status == 307 || response.status == 308;
      if (!IsRedirect(response.status) || location == response.headers.end() ||
          (request.method != "GET" && !keeps_method)) {
        return response;
      }
      Result<Url> next = ResolveRedirect(url, location->second);
      if (!next.ok()) return next.status().WithContext(url_.Origin() + " redirects");
      if (!next->SameOrigin(url_)) {
        return InvalidError(url_.Origin() + " redirects to " + next->Origin() +
                            ", another address; give that one if it is right");
      }
      url = std::move(next).value();
    }
  } catch (const std::exception& error) {
    return InternalError(request.method + " " + url.Origin() + ": " + error.what());
  }
  return InvalidError(url_.Origin() + " redirects more than 5 times");
}

}  // namespace millrace::worker
