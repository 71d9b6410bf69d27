#include "worker/client/http_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <thread>
#include <utility>

#include "crds/base/file.h"
#include "crds/base/text.h"
#include "worker/client/http_stream.h"
#include "worker/client/tcp.h"

namespace millrace::worker {
namespace {

constexpr int kKeepAliveSeconds = 2;
constexpr size_t kKeepAliveRequests = 1000;
// A connection without a request gives up its thread so soon when others have none.
constexpr auto kKeepAliveStep = std::chrono::milliseconds(50);
// What is read and thrown away of a body over the limit before the connection is given up.
constexpr size_t kMaxDiscardedBytes = 64 << 20;
// For a whole body, however slowly it drips in.
constexpr auto kBodyDeadline = std::chrono::seconds(30);
constexpr auto kStartDeadline = std::chrono::seconds(5);

MonotonicTime Now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

// httplib's threads, counting the connections that wait for one.
class CountingPool final : public httplib::TaskQueue {
 public:
  CountingPool(size_t threads, std::atomic<int>* waiting) : pool_(threads), waiting_(waiting) {}
  // void, or in later versions whether there was room, of which the pool has no end.
  using Taken = decltype(std::declval<httplib::ThreadPool&>().enqueue(nullptr));
  Taken enqueue(std::function<void()> serve) override {
    ++*waiting_;
    return pool_.enqueue([this, serve = std::move(serve)] {
      --*waiting_;
      serve();
    });
  }
  void shutdown() override { pool_.shutdown(); }

 private:
  httplib::ThreadPool pool_;
  std::atomic<int>* waiting_;
};

// httplib's server on streams that bound what a client sends, and how long it takes for that: head
// and body have a deadline each.
class BoundedServer final : public httplib::Server {
 public:
  explicit BoundedServer(const HttpServerOptions& options) : timeout_(options.read_timeout) {
    new_task_queue = [this, threads = options.threads] {
      return new CountingPool(static_cast<size_t>(threads), &waiting_);
    };
  }

 private:
  bool process_and_close_socket(socket_t fd) override {
    HttpIntake intake;
    HttpStream stream(fd, nullptr, timeout_, &intake);
    bool closed = false;
    for (size_t left = kKeepAliveRequests; left > 0 && !closed; --left) {
      if (!AwaitRequest(fd, stream)) break;
      intake = {.deadline = Now() + timeout_};
      // Handlers see a const request; `progress`, which servers have no use for, is their way back.
      const auto begin_body = [&intake](httplib::Request& request) {
        intake.deadline = Now() + kBodyDeadline;
        request.progress = [&intake](uint64_t, uint64_t) {
          intake.Refill();
          return true;
        };
      };
      if (!Serve(stream, left == 1, closed, begin_body)) break;
    }
    shutdown(fd, SHUT_RDWR);
    close(fd);
    return true;
  }

  template <typename Setup>
  bool Serve(HttpStream& stream, bool last, bool& closed, const Setup& setup) {
    if constexpr (requires { process_request(stream, last, closed, setup); }) {
      return process_request(stream, last, closed, setup);
    } else {  // later versions take the addresses of both ends, which nobody here asks for
      return process_request(stream, "", 0, "", 0, last, closed, setup);
    }
  }

  bool AwaitRequest(socket_t fd, const HttpStream& stream) const {
    const MonotonicTime end = Now() + std::chrono::seconds(kKeepAliveSeconds);
    while (!stream.has_unread() && !WaitReadable(fd, kKeepAliveStep, {})) {
      if (waiting_ > 0 || Now() >= end || svr_sock_ == INVALID_SOCKET) return false;
    }
    return true;
  }

  Duration timeout_;
  std::atomic<int> waiting_ = 0;
};

HttpServerRequest Convert(const httplib::Request& request) {
  HttpServerRequest converted{request.method, request.path, {}, {}, {}};
  for (const auto& [name, value] : request.headers) {
    converted.headers.emplace(ToLowerAscii(name), value);
  }
  for (const auto& [name, value] : request.params) converted.query[name] = value;
  return converted;
}

bool Serves(const HttpRoute& route, std::string_view path) {
  if (!route.path.ends_with("/*")) return route.path == path;
  const std::string_view folder = std::string_view(route.path).substr(0, route.path.size() - 1);
  return path.size() > folder.size() && path.starts_with(folder);
}

void Fill(const HttpServerReply& reply, httplib::Response* response) {
  response->status = reply.status;
  for (const auto& [name, value] : reply.headers) response->set_header(name.c_str(), value);
  response->set_content(reply.body, reply.content_type.c_str());
}

const char* MessageFor(int status) {
  switch (status) {
    case 400:
      return "malformed request";
    case 413:
      return "body too large";
    case 414:
      return "address too long";
    case 415:
      return "unsupported content type or encoding";
    case 500:
      return "internal error";
    default:
      return "request failed";
  }
}

// Reads the body through httplib's unpacking reader, but never keeps more than `limit` bytes of it.
// `refused` is the status that the library sets meanwhile. Returns the status to answer with, 0
// when the body is complete.
int ReadBody(const httplib::Request& request, const httplib::ContentReader& reader, size_t limit,
             const int& refused, std::string* body) {
  if (request.is_multipart_form_data()) {
    reader([](const auto&) { return true; }, [](const char*, size_t) { return true; });
    return 415;
  }
  size_t seen = 0;
  const bool complete = reader([&](const char* data, size_t size) {
    request.progress(0, 0);
    seen += size;
    if (seen <= limit) body->append(data, size);
    return seen <= limit + kMaxDiscardedBytes;
  });
  if (seen > limit) return 413;
  if (complete) return 0;
  return refused >= 400 ? refused : 400;  // the library's own reason, where it has one
}

bool IsConnectionOn(int fd, int port) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  int listening = 0;
  socklen_t listening_size = sizeof listening;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_size) != 0 ||
      listening != 0) {
    return false;
  }
  in_port_t own = 0;
  if (address.ss_family == AF_INET) own = reinterpret_cast<sockaddr_in&>(address).sin_port;
  if (address.ss_family == AF_INET6) own = reinterpret_cast<sockaddr_in6&>(address).sin6_port;
  return ntohs(own) == port;
}

// Lets the threads that wait for more of a request, or for the next one, find the end of it now:
// the library would wait for its time limits. Replies still leave. The library keeps the sockets to
// itself, so they are found among the process's own by their port.
void EndRequests(int port) {
  const Result<std::vector<std::string>> names = ListDirectory("/proc/self/fd");
  if (!names.ok()) return;  // then the time limits end them
  for (const std::string& name : *names) {
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (IsConnectionOn(fd, port)) shutdown(fd, SHUT_RD);
  }
}

}  // namespace

HttpServerReply HttpServerError(int status, const std::string& message) {
  HttpServerReply reply;
  reply.status = status;
  reply.body = "{\"error\":" + JsonQuote(message) + "}\n";
  return reply;
}

struct HttpServer::Impl {
  explicit Impl(const HttpServerOptions& options) : server(options) { Configure(options); }
  HttpServerReply Dispatch(const HttpServerRequest& request) const;
  void Configure(const HttpServerOptions& options);

  std::vector<HttpRoute> routes;
  size_t max_body_bytes = 0;
  int port = 0;
  BoundedServer server;
  std::thread listener;
};

HttpServerReply HttpServer::Impl::Dispatch(const HttpServerRequest& request) const {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::string allowed;
  for (const HttpRoute& route : routes) {
    if (!Serves(route, request.path)) continue;
    if (route.method == method) return route.handler(request);
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  if (allowed.empty()) return HttpServerError(404, "no such path");
  HttpServerReply reply = HttpServerError(405, "use " + allowed);
  reply.headers["Allow"] = allowed;
  return reply;
}

void HttpServer::Impl::Configure(const HttpServerOptions& options) {
  max_body_bytes = options.max_body_bytes;
  // The library's default sets SO_REUSEPORT, with which a second server on the same port goes
  // unnoticed.
  server.set_socket_options([](auto socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(kKeepAliveRequests);
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_payload_max_length(options.max_body_bytes);
  server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    Fill(HttpServerError(response.status, MessageFor(response.status)), &response);
  });

  const auto plain = [this](const httplib::Request& request, httplib::Response& response) {
    Fill(Dispatch(Convert(request)), &response);
  };
  const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                const httplib::ContentReader& reader) {
    HttpServerRequest converted = Convert(request);
    const int status = ReadBody(request, reader, max_body_bytes, response.status, &converted.body);
    Fill(status == 0 ? Dispatch(converted) : HttpServerError(status, MessageFor(status)),
         &response);
  };
  server.Get(".*", plain);
  server.Options(".*", plain);
  server.Post(".*", with_body);
  server.Put(".*", with_body);
  server.Patch(".*", with_body);
  server.Delete(".*", with_body);
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                      std::vector<HttpRoute> routes) {
  auto impl = std::make_unique<Impl>(options);
  impl->routes = std::move(routes);
  errno = 0;
  impl->port = options.port;
  bool bound = true;
  if (options.port == 0) {
    impl->port = impl->server.bind_to_any_port(options.host);
    bound = impl->port > 0;
  } else {
    bound = impl->server.bind_to_port(options.host, options.port);
  }
  const int error = errno;
  const std::string address = options.host + ":" + std::to_string(options.port);
  if (!bound && error == EADDRINUSE) {
    return ConflictError("listen on " + address + ": the port is in use by another process");
  }
  if (!bound) {
    return InvalidError("listen on " + address + ": " +
                        (error != 0 ? std::strerror(error) : "no such address"));
  }
  httplib::Server* server = &impl->server;
  impl->listener = std::thread([server] { server->listen_after_bind(); });
  const auto deadline = std::chrono::steady_clock::now() + kStartDeadline;
  while (!server->is_running() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->server.stop();
  EndRequests(impl_->port);
  impl_->listener.join();
}

int HttpServer::port() const { return impl_->port; }

}  // namespace millrace::worker
