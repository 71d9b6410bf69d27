#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/redis/redis_fixture.h"
#include "tests/redis/redis_server.h"
#include "tests/redis/tcp_proxy.h"
#include "worker/client/redis/redis.h"
#include "worker/client/redis/safety.h"
#include "worker/client/tls_testing.h"

namespace millrace::worker {
namespace {

constexpr RedisScript kAdd = {"add",
                              "local old = redis.call('GET', KEYS[1])\n"
                              "redis.call('SET', KEYS[1], ARGV[1])\n"
                              "return old"};

TEST_F(RedisTest, RunsCommandsAndPipelinesOfBinaryValues) {
  const RedisServer server;
  const auto client = Client(server);
  const std::string value("a\r\n\0b", 5);
  EXPECT_EQ(Run(client.get(), {"SET", "k", value})->text, "OK");
  EXPECT_EQ(Run(client.get(), {"GET", "k"})->text, value);
  EXPECT_TRUE(Run(client.get(), {"GET", "none"})->nil());
  const RedisCommand commands[] = {
      {"k", {"INCR", "k"}}, {"n", {"INCR", "n"}}, {"n", {"INCRBY", "n", "41"}}};
  const auto replies = client->Pipeline(commands, {});
  ASSERT_TRUE(replies.ok()) << replies.status();
  EXPECT_TRUE((*replies)[0].is_error());
  EXPECT_EQ((*replies)[2].integer, 42);
  EXPECT_EQ(Run(client.get(), {"INCR", "k"}).status().code(), StatusCode::kInvalid);
}

TEST_F(RedisTest, MovesMegabytesInOnePipeline) {
  const RedisServer server;
  const auto client = Client(server);
  const std::string blob(3 << 20, 'x');
  std::vector<RedisCommand> commands;
  for (const char* key : {"a", "b", "c", "d"}) commands.push_back({key, {"SET", key, blob}});
  for (const char* key : {"a", "b", "c", "d"}) commands.push_back({key, {"GET", key}});
  const auto replies = client->Pipeline(commands, {});
  ASSERT_TRUE(replies.ok()) << replies.status();
  EXPECT_EQ(replies->back().text, blob);
}

TEST_F(RedisTest, CountsAPipelineAsOneRoundTrip) {
  const RedisServer server;
  RedisCounts counts;
  RedisSettings settings = Settings(server.address());
  settings.counts = &counts;
  const auto client = Client(settings);
  const std::vector<RedisCommand> commands(100, {"k", {"INCR", "k"}});
  ASSERT_TRUE(client->Pipeline(commands, {}).ok());
  EXPECT_EQ(counts.round_trips, 1);
  EXPECT_EQ(counts.sent_bytes, 100 * 21) << "*2 $4 INCR $1 k";
}

TEST_F(RedisTest, EndsAtAReplyBeyondItsLimit) {
  const RedisServer server;
  RedisSettings settings = Settings(server.address());
  settings.max_reply_bytes = 1 << 20;
  const auto client = Client(settings);
  ASSERT_TRUE(Run(client.get(), {"SET", "big", std::string(2 << 20, 'x')}).ok());
  EXPECT_EQ(Run(client.get(), {"GET", "big"}).status().code(), StatusCode::kInternal);
  EXPECT_TRUE(Run(client.get(), {"STRLEN", "big"}).ok());  // by a new connection
}

TEST_F(RedisTest, RunsAScriptAgainAfterTheServerForgotIt) {
  const RedisServer server;
  const auto client = Client(server);
  const std::string_view keys[] = {"k"};
  const auto add = [&](std::string_view value) {
    return client->Eval(kAdd, keys, {&value, 1}, {});
  };
  EXPECT_TRUE(add("1")->nil());
  EXPECT_EQ(add("2")->text, "1");
  ASSERT_TRUE(client->Run({"", {"SCRIPT", "FLUSH"}}, {}).ok());
  EXPECT_EQ(add("3")->text, "2");
}

TEST_F(RedisTest, KeepsNumbersExactThatAreTexts) {
  const RedisServer server;
  const auto client = Client(server);
  const std::string_view keys[] = {"offset"};
  const std::string_view first = "9007199254740993";
  ASSERT_TRUE(client->Eval(kAdd, keys, {&first, 1}, {}).ok());
  EXPECT_EQ(client->Eval(kAdd, keys, {&first, 1}, {})->text, first);
  constexpr RedisScript kNumber = {"number", "return 3.99"};
  EXPECT_EQ(client->Eval(kNumber, keys, {}, {})->integer, 3);  // why offsets are texts
}

TEST_F(RedisTest, SaysThatALostReplyLeavesTheOutcomeUnknown) {
  const RedisServer server;
  TcpProxy proxy(server.port());
  const auto client = Client(Settings(proxy.address()));
  ASSERT_TRUE(Run(client.get(), {"SET", "n", "1"}).ok());
  proxy.CutAfterRequest();
  const Status lost = Run(client.get(), {"INCR", "n"}).status();
  EXPECT_TRUE(OutcomeUnknown(lost)) << lost;
  EXPECT_EQ(Run(client.get(), {"GET", "n"})->text, "2");  // it was executed, and once
}

TEST_F(RedisTest, GivesUpOnASilentServerAndUsesANewConnection) {
  const RedisServer server;
  TcpProxy proxy(server.port());
  RedisSettings settings = Settings(proxy.address());
  settings.command_timeout = std::chrono::milliseconds(300);
  const auto client = Client(settings);
  ASSERT_TRUE(Run(client.get(), {"SET", "a", "old"}).ok());
  proxy.HoldReplies();
  EXPECT_TRUE(OutcomeUnknown(Run(client.get(), {"GET", "a"}).status()));
  proxy.PassAll();
  EXPECT_TRUE(Run(client.get(), {"GET", "b"})->nil());  // not the reply of the first question
}

TEST_F(RedisTest, ReconnectsAfterARestartAndKeepsWhatIsInTheLog) {
  RedisServer server({{"appendonly", "yes"}, {"appendfsync", "always"}});
  const auto client = Client(server);
  ASSERT_TRUE(Run(client.get(), {"SET", "k", "v"}).ok());
  server.Kill();
  server.Start();
  EXPECT_EQ(Run(client.get(), {"GET", "k"})->text, "v");
}

TEST_F(RedisTest, SaysThatNobodyListens) {
  RedisServer server;
  server.Kill();
  const auto client = Client(server);
  const Status status = client->Connect({});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
  EXPECT_NE(status.message().find(server.address()), std::string::npos);
}

TEST_F(RedisTest, StopsWaitingWhenTold) {
  const RedisServer server;
  const auto client = Client(server);
  std::stop_source stop;
  std::jthread later([&] {
    clock_.SleepFor(std::chrono::milliseconds(50), {});
    stop.request_stop();
  });
  const Status status = client->Run({"q", {"BLPOP", "q", "0"}}, stop.get_token()).status();
  EXPECT_EQ(status.code(), StatusCode::kAborted);
}

TEST_F(RedisTest, SignsInAndFollowsARotatedPassword) {
  RedisServer server(RedisServer::Options{{"requirepass", "one"}});
  secrets_.Write("redis/password", "one");
  RedisSettings settings = Settings(server.address());
  EXPECT_EQ(Client(settings)->Connect({}).code(), StatusCode::kInvalid);
  settings.auth = api::Auth{"redis", std::nullopt};
  const auto client = Client(settings);
  ASSERT_TRUE(Run(client.get(), {"CONFIG", "SET", "requirepass", "two"}).ok());
  ASSERT_TRUE(Run(client.get(), {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"}).ok());
  std::jthread rotation([&] {
    secrets_.Write("redis/password", "");  // half written
    clock_.SleepFor(std::chrono::milliseconds(200), {});
    secrets_.Write("redis/password", "two");
  });
  // A command that meets the end of the old connection has an unknown outcome; the next one has
  // not.
  Status status = Run(client.get(), {"SET", "k", "v"}).status();
  if (OutcomeUnknown(status)) status = Run(client.get(), {"SET", "k", "v"}).status();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(RedisTest, EncryptsAndTrustsOnlyTheNamedAuthority) {
  const millrace::worker::testing::Certificate certificate("redis.test", -60, 3600);
  secrets_.Write("tls/ca.crt", "");
  certificate.WriteTo(secrets_.path() + "/tls/ca.crt");
  certificate.WriteKeyTo(secrets_.path() + "/tls/key");
  const std::string port = std::to_string(RedisServer::FreePort());
  const RedisServer server({{"tls-port", port},
                            {"tls-cert-file", secrets_.path() + "/tls/ca.crt"},
                            {"tls-key-file", secrets_.path() + "/tls/key"},
                            {"tls-auth-clients", "no"}});
  RedisSettings settings = Settings("127.0.0.1:" + port);
  settings.tls = api::Tls{"tls", "redis.test"};
  EXPECT_TRUE(Run(Client(settings).get(), {"SET", "k", std::string(100'000, 'x')}).ok());
  settings.tls->server_name = "other.test";
  EXPECT_EQ(Client(settings)->Connect({}).code(), StatusCode::kInvalid);
  settings.tls->secret_name.reset();
  EXPECT_EQ(Client(settings)->Connect({}).code(), StatusCode::kInvalid);
  settings.tls.reset();
  EXPECT_FALSE(Client(settings)->Connect({}).ok());
}

TEST_F(RedisTest, NeverPrintsThePassword) {
  const RedisServer server(RedisServer::Options{{"requirepass", "right"}});
  secrets_.Write("redis/password", "guessed-wrong");
  RedisSettings settings = Settings(server.address());
  settings.auth = api::Auth{"redis", "default"};
  const Status status = Client(settings)->Connect({});
  EXPECT_EQ(status.code(), StatusCode::kInvalid);
  EXPECT_NE(status.message().find("WRONGPASS"), std::string::npos) << status;
  EXPECT_EQ(status.message().find("guessed"), std::string::npos) << status;
}

TEST_F(RedisTest, TellsAFullServerFromOtherRefusals) {
  const RedisServer server({{"maxmemory", "2mb"}, {"maxmemory-policy", "noeviction"}});
  const auto client = Client(server);
  Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status =
        Run(client.get(), {"SET", "k" + std::to_string(i), std::string(100'000, 'x')}).status();
  }
  EXPECT_TRUE(IsRedisFull(status)) << status;
  EXPECT_TRUE(Run(client.get(), {"DEL", "k0"}).ok());
}

TEST_F(RedisTest, WaitsForAServerThatIsBusyWithAScript) {
  const RedisServer server(RedisServer::Options{{"busy-reply-threshold", "50"}});
  const auto busy = Client(server);
  const auto other = Client(server);
  std::atomic<bool> running{true};
  std::jthread script([&] {
    constexpr RedisScript kSlow = {
        "slow", "local t = redis.call('TIME')[1] + 1\nwhile redis.call('TIME')[1] + 0 <= t do end"};
    EXPECT_TRUE(busy->Eval(kSlow, {}, {}, {}).ok());
    running = false;
  });
  Duration longest{0};
  while (running) {
    const MonotonicTime begin = clock_.Monotonic();
    const Status status = Run(other.get(), {"SET", "k", "v"}).status();
    EXPECT_TRUE(status.ok()) << status;
    longest = std::max(longest, clock_.Monotonic() - begin);
  }
  EXPECT_GT(longest, std::chrono::milliseconds(200));
}

TEST_F(RedisTest, ReadsWhatTheSettingsGuarantee) {
  const RedisServer plain;
  const auto losing = CheckRedisSafety(Client(plain).get(), "k", {});
  ASSERT_TRUE(losing.ok()) << losing.status();
  EXPECT_EQ(losing->losses.size(), 1U);
  const RedisServer logged({{"appendonly", "yes"}, {"appendfsync", "always"}});
  const auto safe = CheckRedisSafety(Client(logged).get(), "k", {});
  EXPECT_TRUE(safe->losses.empty());
  EXPECT_TRUE(safe->warnings.empty());
  const RedisServer managed({{"rename-command", "CONFIG \"\""}, {"appendonly", "yes"}});
  const auto unknown = CheckRedisSafety(Client(managed).get(), "k", {});
  EXPECT_TRUE(unknown->losses.empty());
  EXPECT_EQ(unknown->warnings.size(), 1U);
}

TEST_F(RedisTest, RefusesAReplicaAsServer) {
  const RedisServer master;
  const RedisServer replica(
      RedisServer::Options{{"replicaof", "127.0.0.1 " + std::to_string(master.port())}});
  const Status status = Client(replica)->Connect({});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("slave"), std::string::npos) << status;
}

}  // namespace
}  // namespace millrace::worker
