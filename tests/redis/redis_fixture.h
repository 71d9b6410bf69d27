#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crds/base/clock.h"
#include "tests/redis/redis_server.h"
#include "worker/client/redis/redis.h"

namespace millrace::worker {

// Tests against real servers.
class RedisTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::Installed()) GTEST_SKIP() << "redis-server is not installed";
  }

  RedisSettings Settings(const std::string& address) const {
    RedisSettings settings;
    settings.addresses = {address};
    settings.secrets_directory = secrets_.path();
    return settings;
  }
  std::unique_ptr<RedisClient> Client(const RedisSettings& settings) {
    auto client = RedisClient::Create(settings, &clock_);
    EXPECT_TRUE(client.ok()) << client.status();
    return std::move(client).value();
  }
  std::unique_ptr<RedisClient> Client(const RedisServer& server) {
    return Client(Settings(server.address()));
  }
  Result<RedisReply> Run(RedisClient* client, std::vector<std::string_view> args) {
    const std::string_view key = args.size() > 1 ? args[1] : std::string_view();
    return client->Run({key, std::move(args)}, {});
  }
  // Calls until the call succeeds; a failover takes a while.
  Status Eventually(const std::function<Status()>& call) {
    Status status;
    const MonotonicTime end = clock_.Monotonic() + std::chrono::seconds(40);
    do {
      status = call();
      if (status.ok()) return status;
      clock_.SleepFor(std::chrono::milliseconds(20), {});
    } while (clock_.Monotonic() < end);
    return status;
  }

  SystemClock clock_;
  ScratchFolder secrets_;
};

}  // namespace millrace::worker
