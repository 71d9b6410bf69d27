#include <gtest/gtest.h>

#include "tests/redis/redis_fixture.h"
#include "tests/redis/redis_server.h"
#include "worker/client/redis/connection.h"
#include "worker/client/redis/redis.h"
#include "worker/coordination/redis/redis_job_store.h"

namespace millrace::worker {
namespace {

TEST_F(RedisTest, FollowsTheSentinelsToTheNewMaster) {
  RedisServer master;
  const RedisServer replica(
      RedisServer::Options{{"replicaof", "127.0.0.1 " + std::to_string(master.port())}});
  const auto direct = Client(master);
  const Status synchronised = Eventually([&] {
    const auto reply = direct->Run({"", {"WAIT", "1", "100"}}, {});
    if (!reply.ok()) return reply.status();
    return reply->integer == 1 ? OkStatus() : UnavailableError("no replica");
  });
  ASSERT_TRUE(synchronised.ok()) << synchronised;
  const RedisServer sentinel(
      {{"sentinel monitor", "main 127.0.0.1 " + std::to_string(master.port()) + " 1"},
       {"sentinel down-after-milliseconds", "main 300"},
       {"sentinel failover-timeout", "main 2000"}},
      true);
  RedisSettings settings = Settings(sentinel.address());
  EXPECT_EQ(Client(settings)->Run({"k", {"GET", "k"}}, {}).status().code(), StatusCode::kInvalid);
  settings.mode = RedisMode::kSentinel;
  settings.master_name = "main";
  settings.command_timeout = std::chrono::seconds(1);
  const auto client = Client(settings);
  ASSERT_TRUE(Run(client.get(), {"SET", "k", "1"}).ok());
  const auto asked = RedisConnection::Open(*ParseBrokerAddress(sentinel.address()), settings,
                                           RedisRole::kSentinel, &clock_, {});
  ASSERT_TRUE(asked.ok()) << asked.status();
  const Status known = Eventually([&] {
    const std::string_view request[] = {"SENTINEL", "REPLICAS", "main"};
    const auto reply = (*asked)->Call(request, {});
    if (!reply.ok()) return reply.status();
    return reply->items.empty() ? UnavailableError("no replica") : OkStatus();
  });
  ASSERT_TRUE(known.ok()) << known;
  master.Kill();
  const Status moved = Eventually([&] { return Run(client.get(), {"SET", "k", "2"}).status(); });
  EXPECT_TRUE(moved.ok()) << moved;
  EXPECT_EQ(*client->NodeOf("k", {}), replica.address());
}

// Three masters without replicas.
class RedisClusterTest : public RedisTest {
 protected:
  void SetUp() override {
    RedisTest::SetUp();
    if (IsSkipped()) return;
    for (int i = 0; i < 3; ++i) {
      servers_.push_back(std::make_unique<RedisServer>(RedisServer::Options{
          {"cluster-enabled", "yes"}, {"cluster-node-timeout", "2000"}, {"appendonly", "yes"}}));
      direct_.push_back(Client(Direct(i)));
    }
    for (int i = 0; i < 3; ++i) {
      const std::string first = std::to_string(i * 16384 / 3);
      const std::string last = std::to_string((i + 1) * 16384 / 3 - 1);
      const std::string port = std::to_string(servers_[0]->port());
      Must(i, {"CLUSTER", "ADDSLOTSRANGE", first, last});
      if (i > 0) Must(i, {"CLUSTER", "MEET", "127.0.0.1", port});
    }
    for (int i = 0; i < 3; ++i) {
      const Status ready = Eventually([&] {
        const auto info = direct_[i]->Run({"", {"CLUSTER", "INFO"}}, {});
        if (!info.ok()) return info.status();
        const bool good = info->text.find("cluster_state:ok") != std::string::npos &&
                          info->text.find("cluster_known_nodes:3") != std::string::npos;
        return good ? OkStatus() : UnavailableError(info->text);
      });
      ASSERT_TRUE(ready.ok()) << ready;
    }
  }

  RedisSettings Direct(int i) const {
    RedisSettings settings = Settings(servers_[i]->address());
    settings.mode = RedisMode::kStandalone;
    return settings;
  }
  std::string Must(int node, std::vector<std::string_view> args) {
    const auto reply = direct_[node]->Run({"", std::move(args)}, {});
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? reply->text : "";
  }

  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<RedisClient>> direct_;
};

TEST_F(RedisClusterTest, RoutesPipelinesToTheNodesOfTheirKeys) {
  const auto client = Client(Settings(servers_[1]->address()));
  EXPECT_TRUE(*client->IsCluster({}));
  std::vector<std::string> keys;
  for (int i = 0; i < 300; ++i) keys.push_back("key" + std::to_string(i));
  std::vector<RedisCommand> commands;
  for (const std::string& key : keys) commands.push_back({key, {"SET", key, key}});
  for (const std::string& key : keys) commands.push_back({key, {"GET", key}});
  const auto replies = client->Pipeline(commands, {});
  ASSERT_TRUE(replies.ok()) << replies.status();
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ((*replies)[300 + i].text, keys[i]);
}

TEST_F(RedisClusterTest, RunsScriptsOnlyWithinOneSlot) {
  const auto client = Client(Settings(servers_[0]->address()));
  constexpr RedisScript kTwo = {"two", "return redis.call('MSET', KEYS[1], 1, KEYS[2], 2)"};
  const std::string_view together[] = {"{t}a", "{t}b"};
  EXPECT_TRUE(client->Eval(kTwo, together, {}, {}).ok());
  const std::string_view apart[] = {"a", "b"};
  const Status status = client->Eval(kTwo, apart, {}, {}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalid) << status;
}

TEST_F(RedisClusterTest, FollowsASlotThatMoves) {
  const auto client = Client(Settings(servers_[0]->address()));
  const std::string key = "foo";  // slot 12182, of the third node
  const std::string slot = std::to_string(RedisSlot(key));
  ASSERT_TRUE(Run(client.get(), {"SET", key, "1"}).ok());
  const std::string from = Must(2, {"CLUSTER", "MYID"});
  const std::string to = Must(0, {"CLUSTER", "MYID"});
  Must(0, {"CLUSTER", "SETSLOT", slot, "IMPORTING", from});
  Must(2, {"CLUSTER", "SETSLOT", slot, "MIGRATING", to});
  ASSERT_TRUE(Run(client.get(), {"SET", "{foo}new", "2"}).ok());  // ASK
  EXPECT_EQ(Run(client.get(), {"GET", key})->text, "1");
  EXPECT_EQ(Run(client.get(), {"GET", "{foo}new"})->text, "2");
  Must(2, {"MIGRATE", "127.0.0.1", std::to_string(servers_[0]->port()), key, "0", "5000"});
  for (const int node : {0, 2, 1}) Must(node, {"CLUSTER", "SETSLOT", slot, "NODE", to});
  EXPECT_EQ(Run(client.get(), {"GET", key})->text, "1");  // MOVED
  EXPECT_EQ(*client->NodeOf(key, {}), servers_[0]->address());
}

TEST_F(RedisClusterTest, RetriesWhileKeysOfASlotAreInTwoPlaces) {
  RedisSettings settings = Settings(servers_[0]->address());
  settings.command_timeout = std::chrono::milliseconds(400);
  const auto client = Client(settings);
  const std::string slot = std::to_string(RedisSlot("foo"));
  ASSERT_TRUE(Run(client.get(), {"SET", "{foo}here", "1"}).ok());
  const std::string from = Must(2, {"CLUSTER", "MYID"});
  const std::string to = Must(0, {"CLUSTER", "MYID"});
  Must(0, {"CLUSTER", "SETSLOT", slot, "IMPORTING", from});
  Must(2, {"CLUSTER", "SETSLOT", slot, "MIGRATING", to});
  const Status split = Run(client.get(), {"MGET", "{foo}here", "{foo}away"}).status();
  EXPECT_EQ(split.code(), StatusCode::kUnavailable) << split;
  Must(2, {"CLUSTER", "SETSLOT", slot, "STABLE"});
  Must(0, {"CLUSTER", "SETSLOT", slot, "STABLE"});
  EXPECT_TRUE(Run(client.get(), {"MGET", "{foo}here", "{foo}away"}).ok());
}

// Half of the record here and half there must never look like a record with parts missing.
TEST_F(RedisClusterTest, RunsNoScriptOfAJobWhoseSlotIsMoving) {
  RedisSettings settings = Settings(servers_[1]->address());
  settings.command_timeout = std::chrono::milliseconds(300);
  const std::string base = JobKey("ns", "job", "moves");
  const std::string slot = std::to_string(RedisSlot(base));
  RedisJobStore store(Client(settings), base, {});
  ASSERT_TRUE(store.Call(InitJob{1, "spec", "record"}).ok());
  const std::string owner = *store.client().NodeOf(base, {});
  int from = 0;
  while (servers_[from]->address() != owner) ++from;
  const int to = (from + 1) % 3;
  const std::string from_id = Must(from, {"CLUSTER", "MYID"});
  const std::string to_id = Must(to, {"CLUSTER", "MYID"});
  Must(to, {"CLUSTER", "SETSLOT", slot, "IMPORTING", from_id});
  Must(from, {"CLUSTER", "SETSLOT", slot, "MIGRATING", to_id});
  const std::string port = std::to_string(servers_[to]->port());
  for (const char* key : {":job", ":commit", ":spec"}) {
    EXPECT_EQ(store.Call(ReadJob{}).code, StoreCode::kUnavailable) << "before " << key;
    EXPECT_EQ(store.Call(AcquireLease{"", 0, "t", "a", "a", 1}).code, StoreCode::kUnavailable);
    Must(from, {"MIGRATE", "127.0.0.1", port, base + key, "0", "5000"});
  }
  EXPECT_EQ(store.Call(ReadJob{}).code, StoreCode::kUnavailable);
  for (const int node : {to, from, 3 - from - to})
    Must(node, {"CLUSTER", "SETSLOT", slot, "NODE", to_id});
  EXPECT_EQ(store.Call(ReadJob{}).facts->specs.at("spec"), "record");
  EXPECT_TRUE(store.Call(AcquireLease{"", 0, "t", "a", "a", 1}).ok());
}

TEST_F(RedisClusterTest, WaitsForANodeThatComesBack) {
  const auto client = Client(Settings(servers_[0]->address()));
  ASSERT_TRUE(Run(client.get(), {"SET", "foo", "1"}).ok());
  servers_[2]->Kill();
  EXPECT_FALSE(Run(client.get(), {"GET", "foo"}).ok());
  servers_[2]->Start();
  const Status back = Eventually([&] { return Run(client.get(), {"GET", "foo"}).status(); });
  EXPECT_TRUE(back.ok()) << back;
}

}  // namespace
}  // namespace millrace::worker
