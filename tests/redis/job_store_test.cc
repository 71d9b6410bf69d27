#include <gtest/gtest.h>

#include "tests/redis/redis_server.h"
#include "worker/coordination/cluster/job_store_conformance.h"
#include "worker/coordination/redis/redis_job_store.h"

namespace millrace::worker {
namespace {

class RedisJobStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::Installed()) GTEST_SKIP() << "redis-server is not installed";
    server_ = std::make_unique<RedisServer>();
  }
  // A store of a job that nobody has made yet.
  std::unique_ptr<JobStore> Make() {
    RedisSettings settings;
    settings.addresses = {server_->address()};
    settings.command_timeout = std::chrono::milliseconds(300);
    auto client = RedisClient::Create(settings, &clock_);
    EXPECT_TRUE(client.ok()) << client.status();
    return std::make_unique<RedisJobStore>(
        std::move(client).value(), JobKey("ns", "job", std::to_string(++jobs_)), std::stop_token());
  }

  SystemClock clock_;
  std::unique_ptr<RedisServer> server_;
  int jobs_ = 0;
};

TEST_F(RedisJobStoreTest, DoesWhatTheProtocolAsksOfEveryStore) {
  EXPECT_EQ(CheckJobStore([this] { return Make(); }), "");
}

TEST_F(RedisJobStoreTest, SaysThatNothingWasDoneWhenTheServerIsAway) {
  const std::unique_ptr<JobStore> store = Make();
  ASSERT_TRUE(store->Call(InitJob{1, "spec", {}}).ok());
  server_->Kill();
  const StoreReply reply = store->Call(ReadJob{});
  EXPECT_TRUE(reply.code == StoreCode::kUnavailable || reply.code == StoreCode::kUnknown)
      << reply.detail;
}

TEST(JobKeyTest, KeepsAJobInOneSlotAndItsGroupsInOthers) {
  EXPECT_EQ(RedisSlot(JobKey("ns", "job", "id") + ":plan"),
            RedisSlot(JobKey("ns", "job", "id") + ":commit"));
  EXPECT_NE(RedisSlot(GroupKey("ns", "job", "id", 1)), RedisSlot(GroupKey("ns", "job", "id", 2)));
}

}  // namespace
}  // namespace millrace::worker
