#include "worker/client/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>

#include "crds/base/file.h"
#include "worker/client/compression.h"

namespace millrace::worker {
namespace {

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
