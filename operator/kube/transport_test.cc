#include "operator/kube/transport.h"

#include <gmock/gmock.h>
#include <httplib.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "worker/client/tls_testing.h"

namespace millrace::controller {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using worker::testing::Certificate;

// An HTTP server on a free port whose handler may hold its answer back until the server ends.
class Server {
 public:
  using Handler = std::function<void(Server&, const httplib::Request&, httplib::Response&)>;
  explicit Server(Handler handler,
                  std::unique_ptr<httplib::Server> server = std::make_unique<httplib::Server>())
      : server_(std::move(server)) {
    server_->Get(".*",
                 [this, handler](const httplib::Request& request, httplib::Response& response) {
                   handler(*this, request, response);
                 });
    port_ = server_->bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_->listen_after_bind(); });
  }
  ~Server() {
    Release();
    server_->stop();
  }
  // Blocks until the end of the test.
  void Hold() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return released_; });
  }
  void Release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    ended_.notify_all();
  }
  int port() const { return port_; }

 private:
  std::unique_ptr<httplib::Server> server_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool released_ = false;
  int port_ = 0;
  std::jthread thread_;
};

std::unique_ptr<Transport> TransportTo(const Server& server, size_t max_body_bytes = 1 << 20) {
  auto made = MakeTransport({.server = "http://127.0.0.1:" + std::to_string(server.port())},
                            {.max_body_bytes = max_body_bytes});
  EXPECT_TRUE(made.ok()) << made.status();
  return std::move(made).value();
}

HttpCall Call(milliseconds timeout, milliseconds idle_timeout) {
  HttpCall call;
  call.target = "/x";
  call.timeout = timeout;
  call.idle_timeout = idle_timeout;
  return call;
}

// A stream of two pieces that then goes on as `end` says.
Server::Handler TwoPieces(std::function<bool(Server&, httplib::DataSink&)> end) {
  return [end](Server& server, const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("application/json",
                                          [&server, end](size_t, httplib::DataSink& sink) {
                                            sink.write("one", 3);
                                            sink.write("two", 3);
                                            return end(server, sink);
                                          });
  };
}

struct Streamed {
  std::string text;
  Result<HttpAnswer> answer;
};
Streamed StreamFrom(const Server& server, const HttpCall& call, std::stop_token stop = {}) {
  Streamed streamed{"", HttpAnswer{}};
  streamed.answer = TransportTo(server)->Stream(
      call,
      [&](std::string_view bytes) {
        streamed.text += bytes;
        return true;
      },
      std::move(stop));
  return streamed;
}

TEST(CpprestTransportTest, AnswersHaveStatusBodyAndRetryAfter) {
  const Server server([](Server&, const httplib::Request& request, httplib::Response& response) {
    response.status = 429;
    response.set_header("Retry-After", "12");
    response.set_content(request.get_header_value("Authorization"), "text/plain");
  });
  HttpCall call = Call(milliseconds(5000), milliseconds(5000));
  call.bearer = "secret";
  const Result<HttpAnswer> answer = TransportTo(server)->Send(call, {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 429);
  EXPECT_EQ(answer->body, "Bearer secret");
  EXPECT_EQ(answer->retry_after, std::chrono::seconds(12));
}

TEST(CpprestTransportTest, PiecesArriveWhileTheStreamGoesOn) {
  const Server server(TwoPieces([](Server& held, httplib::DataSink& sink) {
    held.Hold();
    sink.done();
    return true;
  }));
  std::stop_source stop;
  std::string seen;
  const Result<HttpAnswer> answer = TransportTo(server)->Stream(
      Call(milliseconds(0), milliseconds(60'000)),
      [&](std::string_view bytes) {
        seen += bytes;
        if (seen == "onetwo") stop.request_stop();
        return true;
      },
      stop.get_token());
  EXPECT_EQ(seen, "onetwo");
  EXPECT_EQ(answer.status().code(), StatusCode::kAborted);
}

TEST(CpprestTransportTest, AHalfOpenStreamEndsAfterTheIdleTimeout) {
  const Server server(TwoPieces([](Server& held, httplib::DataSink& sink) {
    held.Hold();
    sink.done();
    return true;
  }));
  const Streamed streamed = StreamFrom(server, Call(milliseconds(0), milliseconds(300)));
  EXPECT_EQ(streamed.text, "onetwo");
  EXPECT_EQ(streamed.answer.status().code(), StatusCode::kDeadline);
}

TEST(CpprestTransportTest, AResetStreamIsUnavailableAfterWhatItSent) {
  const Server server(TwoPieces([](Server&, httplib::DataSink&) { return false; }));
  const Streamed streamed = StreamFrom(server, Call(milliseconds(0), milliseconds(5000)));
  EXPECT_EQ(streamed.text, "onetwo");
  EXPECT_EQ(streamed.answer.status().code(), StatusCode::kUnavailable);
}

TEST(CpprestTransportTest, AnAnswerThatNeverComesMeetsTheTimeout) {
  const Server server(
      [](Server& held, const httplib::Request&, httplib::Response&) { held.Hold(); });
  const auto answer = TransportTo(server)->Send(Call(milliseconds(200), milliseconds(60'000)), {});
  EXPECT_EQ(answer.status().code(), StatusCode::kDeadline);
}

TEST(CpprestTransportTest, AStopEndsACallThatHangs) {
  std::stop_source stop;
  const Server server([&](Server& held, const httplib::Request&, httplib::Response&) {
    stop.request_stop();
    held.Hold();
  });
  const auto answer =
      TransportTo(server)->Send(Call(milliseconds(60'000), milliseconds(60'000)), stop.get_token());
  EXPECT_EQ(answer.status().code(), StatusCode::kAborted);
}

TEST(CpprestTransportTest, RefusesABodyOverTheLimit) {
  const Server server([](Server&, const httplib::Request&, httplib::Response& response) {
    response.set_content(std::string(5000, 'x'), "text/plain");
  });
  const auto transport = TransportTo(server, 1000);
  EXPECT_EQ(transport->Send(Call(milliseconds(5000), milliseconds(5000)), {}).status().code(),
            StatusCode::kInternal);
}

TEST(CpprestTransportTest, NobodyListeningIsUnavailable) {
  auto transport = MakeTransport({.server = "http://127.0.0.1:1"});
  const auto answer = (*transport)->Send(Call(milliseconds(5000), milliseconds(5000)), {});
  EXPECT_EQ(answer.status().code(), StatusCode::kUnavailable);
}

// A TLS server for localhost and the folder of its files.
struct TlsServer {
  TlsServer() : certificate("localhost", -60, 3600) {
    folder = ::testing::TempDir() + "/millrace-tls-" + std::to_string(getpid());
    std::filesystem::create_directories(folder);
    certificate.WriteTo(folder + "/crt");
    certificate.WriteKeyTo(folder + "/key");
    const auto answer = [](Server&, const httplib::Request&, httplib::Response& response) {
      response.set_content("hello", "text/plain");
    };
    server = std::make_unique<Server>(
        answer,
        std::make_unique<httplib::SSLServer>((folder + "/crt").c_str(), (folder + "/key").c_str()));
  }
  ~TlsServer() { std::filesystem::remove_all(folder); }
  Result<HttpAnswer> Ask(const std::string& host, const std::string& ca_file) const {
    auto made = MakeTransport(
        {.server = "https://" + host + ":" + std::to_string(server->port()), .ca_file = ca_file});
    if (!made.ok()) return made.status();
    return (*made)->Send(Call(milliseconds(10'000), milliseconds(10'000)), {});
  }
  Certificate certificate;
  std::string folder;
  std::unique_ptr<Server> server;
};

TEST(CpprestTransportTest, TrustsTheGivenAuthorityOnly) {
  const TlsServer tls;
  const auto good = tls.Ask("localhost", tls.folder + "/crt");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->body, "hello");
  const Certificate other("localhost", -60, 3600);
  other.WriteTo(tls.folder + "/other");
  EXPECT_EQ(tls.Ask("localhost", tls.folder + "/other").status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(tls.Ask("localhost", "").status().code(), StatusCode::kUnavailable);
}

TEST(CpprestTransportTest, RefusesACertificateOfAnotherHost) {
  const TlsServer tls;
  EXPECT_EQ(tls.Ask("127.0.0.1", tls.folder + "/crt").status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace millrace::controller
