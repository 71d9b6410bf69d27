#include "worker/client/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "worker/client/loopback_server.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<HttpClient> ClientOf(const std::string& url, HttpClientOptions options = {}) {
  Result<std::unique_ptr<HttpClient>> client = HttpClient::Create(url, options);
  EXPECT_TRUE(client.ok()) << client.status();
  return std::move(client).value();
}

TEST(HttpClientTest, SendsBodyAndHeadersAndReadsTheAnswer) {
  LoopbackServer server([](const httplib::Request&, httplib::Response& response) {
    response.status = 201;
    response.set_header("Retry-After", "7");
    response.set_content("made", "text/plain");
  });
  const auto client = ClientOf(server.Url("/in?a=b%20c"));
  const Result<HttpResponse> response =
      client->Send({"PUT", {{"X-One", "1"}, {"Content-Type", "text/csv"}}, "a,b\n"});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "made");
  EXPECT_EQ(response->headers.at("retry-after"), "7");
  const LoopbackServer::Seen seen = server.seen().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.body, "a,b\n");
  EXPECT_EQ(seen.Header("X-One"), "1");
  EXPECT_EQ(seen.Header("Host"), "127.0.0.1:" + std::to_string(server.port()));
}

TEST(HttpClientTest, ErrorStatusIsAnAnswer) {
  LoopbackServer server(
      [](const httplib::Request&, httplib::Response& response) { response.status = 503; });
  EXPECT_EQ(ClientOf(server.Url("/"))->Send({})->status, 503);
}

TEST(HttpClientTest, CutsLongAnswers) {
  LoopbackServer server([](const httplib::Request&, httplib::Response& response) {
    response.set_content(std::string(100'000, 'x'), "text/plain");
  });
  HttpClientOptions options;
  options.max_body_bytes = 1000;
  const Result<HttpResponse> response = ClientOf(server.Url("/"), options)->Send({});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->truncated);
  EXPECT_EQ(response->body.size(), 1000u);
}

TEST(HttpClientTest, FollowsRedirectsOnTheSameHostOnly) {
  LoopbackServer server([](const httplib::Request& request, httplib::Response& response) {
    if (request.path == "/end") return response.set_content("end", "text/plain");
    const std::string port = request.path == "/away" ? "1" : "";
    response.set_redirect(port.empty() ? "/end" : "http://127.0.0.1:1/end");
  });
  EXPECT_EQ(ClientOf(server.Url("/start"))->Send({})->body, "end");
  const Status away = ClientOf(server.Url("/away"))->Send({}).status();
  EXPECT_EQ(away.code(), StatusCode::kInvalid);
  EXPECT_THAT(away.message(), HasSubstr("redirects to http://127.0.0.1:1"));
}

TEST(HttpClientTest, DoesNotRepeatAPostOnRedirect) {
  LoopbackServer server([](const httplib::Request&, httplib::Response& response) {
    response.set_redirect("/x", 303);
  });
  EXPECT_EQ(ClientOf(server.Url("/"))->Send({"POST", {}, "x"})->status, 303);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST(HttpClientTest, StopsAfterTooManyRedirects) {
  LoopbackServer server([](const httplib::Request&, httplib::Response& response) {
    response.set_redirect("/again");
  });
  EXPECT_THAT(ClientOf(server.Url("/"))->Send({}).status().message(), HasSubstr("more than 5"));
}

// Accepts connections and says nothing, exactly what it is told, or that without end.
class RawServer {
 public:
  RawServer() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~RawServer() {
    if (thread_.joinable()) thread_.join();
    close(fd_);
  }
  void Listen() { EXPECT_EQ(listen(fd_, 8), 0); }
  // Answers one request with these bytes and hangs up.
  void Answer(const std::string& bytes) {
    Listen();
    thread_ = std::jthread([this, bytes] {
      const int peer = accept(fd_, nullptr, nullptr);
      char request[4096];
      EXPECT_GT(recv(peer, request, sizeof request, 0), 0);
      EXPECT_EQ(send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(bytes.size()));
      close(peer);
    });
  }
  // Answers one request with `begin` and then `more` until the client hangs up.
  void AnswerEndlessly(const std::string& begin, const std::string& more) {
    Listen();
    std::string block = more;
    while (block.size() < 32'000) block += more;
    thread_ = std::jthread([this, begin, block] {
      const int peer = accept(fd_, nullptr, nullptr);
      char request[4096];
      EXPECT_GT(recv(peer, request, sizeof request, 0), 0);
      ssize_t count = send(peer, begin.data(), begin.size(), MSG_NOSIGNAL);
      while (count > 0) {
        count = send(peer, block.data(), block.size(), MSG_NOSIGNAL);
        sent_ += static_cast<size_t>(std::max<ssize_t>(count, 0));
      }
      close(peer);
    });
  }
  // Bytes of `more` that were taken; waits for the end of it.
  size_t Sent() {
    thread_.join();
    return sent_;
  }
  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  int fd_;
  int port_ = 0;
  size_t sent_ = 0;
  std::jthread thread_;
};

TEST(HttpClientTest, AnswersThatAreCutOrNoHttpAreErrorsB64) {
  const std::pair<const char*, std::string> cases[] = {
      {"short body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"},
      {"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhalf"},
      {"length beyond all", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx"},
      {"no chunk size",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n"},
      {"cut chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nx"},
      {"no HTTP", "hello\r\n\r\n"},
      {"nothing", ""},
  };
  for (const auto& [name, bytes] : cases) {
    RawServer server;
    server.Answer(bytes);
    const Status status = ClientOf(server.Url())->Send({}).status();
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << name;
    EXPECT_THAT(status.message(),
                HasSubstr(": the connection was lost before the answer was complete"))
        << name;
  }
}

TEST(HttpClientTest, AnswersWithoutEndAreErrorsThatTakeLittleMemory) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
  const std::tuple<const char*, std::string, std::string> cases[] = {
      {"headers", ok, "X-More: and more\r\n"},
      {"one header", ok + "X-Long: ", "and more, "},
      {"status line", "HTTP/1.1 200 ", "OK "},
      {"interim answers", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"},
      {"chunk size", chunked, "00000000"},
      {"chunk extension", chunked + "5;", "and more"},
      {"chunk size behind content", chunked + "5\r\nhello\r\n", "00000000"},
  };
  for (const auto& [name, begin, more] : cases) {
    RawServer server;
    server.AnswerEndlessly(begin, more);
    const Status status = ClientOf(server.Url())->Send({}).status();
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << name;
    EXPECT_THAT(status.message(), HasSubstr(": the answer has more than 256 KiB of headers, or of "
                                            "chunk sizes without content"))
        << name;
    EXPECT_LT(server.Sent(), 16u << 20) << name << ": more than what sockets hold";
  }
}

TEST(HttpClientTest, ReadsAnswersOfManySmallChunks) {
  std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 200'000; ++i) answer += "1\r\nx\r\n";
  RawServer server;
  server.Answer(answer + "0\r\n\r\n");
  const Result<HttpResponse> response = ClientOf(server.Url())->Send({});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, std::string(200'000, 'x'));
}

TEST(HttpClientTest, GivesUpAtTheDeadline) {
  RawServer server;
  server.Listen();
  HttpClientOptions options;
  options.timeout = std::chrono::milliseconds(100);
  const Status status = ClientOf(server.Url(), options)->Send({}).status();
  EXPECT_EQ(status.code(), StatusCode::kDeadline) << status;
}

TEST(HttpClientTest, DripFeedMeetsTheDeadlineToo) {
  std::atomic<bool> stop = false;
  LoopbackServer server([&stop](const httplib::Request&, httplib::Response& response) {
    response.set_chunked_content_provider("text/plain", [&stop](size_t, httplib::DataSink& sink) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return !stop && sink.write("x", 1);
    });
  });
  HttpClientOptions options;
  options.timeout = std::chrono::milliseconds(200);
  const Status status = ClientOf(server.Url("/"), options)->Send({}).status();
  stop = true;
  EXPECT_EQ(status.code(), StatusCode::kDeadline) << status;
}

TEST(HttpClientTest, NoListenerIsUnavailable) {
  RawServer server;  // bound, not listening
  const Status status = ClientOf(server.Url())->Send({}).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
  EXPECT_THAT(status.message(), HasSubstr("no connection"));
}

TEST(HttpClientTest, RefusesHeadersThatWouldSplitTheRequest) {
  const auto client = ClientOf("http://127.0.0.1:1/");
  EXPECT_EQ(client->Send({"GET", {{"X", "a\r\nY: b"}}, ""}).status().code(), StatusCode::kInvalid);
  EXPECT_EQ(client->Send({"GET", {{"X: a", "b"}}, ""}).status().code(), StatusCode::kInvalid);
}

}  // namespace
}  // namespace millrace::worker
