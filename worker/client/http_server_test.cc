#include "worker/client/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "crds/base/file.h"
#include "worker/client/compression.h"

namespace millrace::worker {
namespace {

// More than sockets hold, and than the server discards of a body.
constexpr size_t kFloodBytes = 80 << 20;

HttpServerOptions Loopback() {
  HttpServerOptions options;
  options.host = "127.0.0.1";
  options.max_body_bytes = 1000;
  return options;
}

UniqueFd ConnectTo(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

std::vector<HttpRoute> EchoRoutes() {
  return {{"POST", "/echo",
           [](const HttpServerRequest& request) {
             HttpServerReply reply;
             reply.body = request.body;
             reply.content_type = "text/plain";
             return reply;
           }},
          {"GET", "/metrics", [](const HttpServerRequest&) {
             return HttpServerReply{200, "up 1\n", "text/plain", {}};
           }}};
}

TEST(HttpServerTest, AFolderRouteServesWhatIsBelowItWithItsQuery) {
  const HttpRoute route{
      "GET", "/state/*", [](const HttpServerRequest& request) {
        return HttpServerReply{200, request.path + " " + request.query.at("key"), "text/plain", {}};
      }};
  auto server = HttpServer::Start(Loopback(), {route});
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());
  EXPECT_EQ(client.Get("/state/a.b?key=x%20%26y")->body, "/state/a.b x &y");
  EXPECT_EQ(client.Get("/state/?key=x")->status, 404);
  EXPECT_EQ(client.Get("/states?key=x")->status, 404);
}

TEST(HttpServerTest, AnswersRoutesAndNamesWhatItRefuses) {
  auto server = HttpServer::Start(Loopback(), EchoRoutes());
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());
  EXPECT_EQ(client.Post("/echo", "hello", "text/plain")->body, "hello");
  EXPECT_EQ(client.Get("/metrics")->body, "up 1\n");
  EXPECT_EQ(client.Get("/echo")->status, 405);
  EXPECT_EQ(client.Get("/echo")->get_header_value("Allow"), "POST");
  EXPECT_EQ(client.Post("/other", "x", "text/plain")->status, 404);
  EXPECT_EQ(client.Put("/metrics", "x", "text/plain")->body, "{\"error\":\"use GET\"}\n");
}

TEST(HttpServerTest, RefusesLargeBodiesAndFormsButServesOn) {
  auto server = HttpServer::Start(Loopback(), EchoRoutes());
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());
  client.set_keep_alive(true);
  EXPECT_EQ(client.Post("/echo", std::string(1001, 'x'), "text/plain")->status, 413);
  EXPECT_EQ(client.Post("/echo", httplib::MultipartFormDataItems{{"a", "b", "", ""}})->status, 415);
  EXPECT_EQ(client.Post("/echo", std::string(1000, 'x'), "text/plain")->status, 200);
}

TEST(HttpServerTest, LimitsBodiesByTheirUnpackedSize) {
  auto server = HttpServer::Start(Loopback(), EchoRoutes());
  ASSERT_TRUE(server.ok()) << server.status();
  httplib::Client client("127.0.0.1", (*server)->port());
  const std::string bomb = *Compress(Codec::kGzip, std::string(200'000, 'x'));
  ASSERT_LT(bomb.size(), 1000u);
  const auto result =
      client.Post("/echo", httplib::Headers{{"Content-Encoding", "gzip"}}, bomb, "text/plain");
  ASSERT_TRUE(result);
  // A library built without zlib refuses the encoding instead.
  EXPECT_TRUE(result->status == 413 || result->status == 415) << result->status;
}

// Sends `begin`, then `more` for as long as the server takes it; how much it took.
size_t Flood(int port, std::string_view begin, std::string_view more) {
  const UniqueFd fd = ConnectTo(port);
  EXPECT_TRUE(WriteAll(fd.get(), begin, "client").ok());
  std::string block;
  while (block.size() < 32'000) block += more;
  size_t taken = 0;
  for (ssize_t count = 1; count > 0 && taken < kFloodBytes;) {
    count = send(fd.get(), block.data(), block.size(), MSG_NOSIGNAL);
    taken += static_cast<size_t>(std::max<ssize_t>(count, 0));
  }
  return taken;
}

TEST(HttpServerTest, ClosesOnRequestsWithoutEnd) {
  auto server = HttpServer::Start(Loopback(), EchoRoutes());
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->port();
  const std::string get = "GET /metrics HTTP/1.1\r\n";
  const std::string post = "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_LT(Flood(port, "GET /", "metrics"), kFloodBytes);
  EXPECT_LT(Flood(port, get, "X-More: and more\r\n"), kFloodBytes);
  EXPECT_LT(Flood(port, get + "X-Long: ", "and more"), kFloodBytes);
  EXPECT_LT(Flood(port, post, "00000000"), kFloodBytes);
  EXPECT_LT(Flood(port, post + "5\r\nhello\r\n", "00000000"), kFloodBytes);
  EXPECT_EQ(httplib::Client("127.0.0.1", port).Get("/metrics")->body, "up 1\n");
}

TEST(HttpServerTest, ServesOthersWhileClientsSaySlowlyOrNothing) {
  HttpServerOptions options = Loopback();
  options.threads = 2;
  options.read_timeout = std::chrono::milliseconds(100);
  auto server = HttpServer::Start(options, EchoRoutes());
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->port();
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(ConnectTo(port));
  const UniqueFd slow = ConnectTo(port);
  const std::jthread drip([&slow](const std::stop_token& stop) {
    std::string_view byte = "GET /metrics HTTP/1.1\r\nX: ";
    while (!stop.stop_requested() && WriteAll(slow.get(), byte, "client").ok()) {
      byte = "x";
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(httplib::Client("127.0.0.1", port).Get("/metrics")->body, "up 1\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

TEST(HttpServerTest, AnswersRequestsThatComeAtOnce) {
  auto server = HttpServer::Start(Loopback(), EchoRoutes());
  ASSERT_TRUE(server.ok()) << server.status();
  const UniqueFd fd = ConnectTo((*server)->port());
  const std::string post = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n";
  ASSERT_TRUE(
      WriteAll(fd.get(), post + "\r\nhello" + post + "Connection: close\r\n\r\nagain", "client")
          .ok());
  std::string answers;
  char buffer[1000];
  for (ssize_t count; (count = recv(fd.get(), buffer, sizeof buffer, 0)) > 0;)
    answers.append(buffer, static_cast<size_t>(count));
  EXPECT_NE(answers.find("hello"), std::string::npos) << answers;
  EXPECT_NE(answers.find("again"), std::string::npos) << answers;
}

TEST(HttpServerTest, DoesNotWaitForSilentClientsAtTheEnd) {
  auto server = HttpServer::Start(Loopback(), EchoRoutes());
  ASSERT_TRUE(server.ok()) << server.status();
  const int port = (*server)->port();
  httplib::Client idle("127.0.0.1", port);
  idle.set_keep_alive(true);
  ASSERT_EQ(idle.Post("/echo", "kept open", "text/plain")->status, 200);
  const auto connect = [&](std::string_view begin) {
    UniqueFd fd = ConnectTo(port);
    EXPECT_TRUE(WriteAll(fd.get(), begin, "client").ok());
    return fd;
  };
  const UniqueFd fresh = connect("");
  const UniqueFd in_header = connect("POST /echo HTTP/1.1\r\nHost: x\r\nConte");
  const UniqueFd in_body =
      connect("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
  const auto begin = std::chrono::steady_clock::now();
  server->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(800));
}

TEST(HttpServerTest, SaysThatAPortIsTaken) {
  auto first = HttpServer::Start(Loopback(), EchoRoutes());
  ASSERT_TRUE(first.ok()) << first.status();
  HttpServerOptions options = Loopback();
  options.port = (*first)->port();
  const auto second = HttpServer::Start(options, EchoRoutes());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kConflict) << second.status();
  EXPECT_NE(second.status().message().find(std::to_string(options.port)), std::string::npos);
}

}  // namespace
}  // namespace millrace::worker
