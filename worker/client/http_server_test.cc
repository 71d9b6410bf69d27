#include "worker/client/http_server.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include "worker/client/compression.h"

namespace millrace::worker {
namespace {

HttpServerOptions Loopback() {
  HttpServerOptions options;
  options.host = "127.0.0.1";
  options.max_body_bytes = 1000;
  return options;
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
