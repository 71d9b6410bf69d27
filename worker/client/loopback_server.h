#pragma once

#include <httplib.h>

#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::worker {

// An HTTP server on a free loopback port that answers every request with `handler` and keeps what
// it was sent. For tests. Thread-safe; stops with the object.
class LoopbackServer {
 public:
  struct Seen {
    std::string method;
    std::string path;
    std::string body;
    httplib::Headers headers;
    std::string Header(const std::string& name) const {
      const auto found = headers.find(name);
      return found == headers.end() ? "" : found->second;
    }
  };

  explicit LoopbackServer(httplib::Server::Handler handler) : handler_(std::move(handler)) {
    const auto answer = [this](const httplib::Request& request, httplib::Response& response) {
      std::lock_guard lock(mutex_);
      seen_.push_back({request.method, request.path, request.body, request.headers});
      handler_(request, response);
    };
    server_.Get(".*", answer);
    server_.Post(".*", answer);
    server_.Put(".*", answer);
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~LoopbackServer() { server_.stop(); }

  int port() const { return port_; }
  std::string Url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<Seen> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  httplib::Server server_;
  httplib::Server::Handler handler_;
  mutable std::mutex mutex_;
  std::vector<Seen> seen_;
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace millrace::worker
