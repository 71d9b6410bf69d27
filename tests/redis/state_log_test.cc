#include <gtest/gtest.h>

#include "tests/redis/redis_server.h"
#include "worker/coordination/redis/redis_state_log.h"

namespace millrace::worker {
namespace {

class RedisStateLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::Installed()) GTEST_SKIP() << "redis-server is not installed";
    server_ = std::make_unique<RedisServer>();
  }
  std::unique_ptr<RedisClient> Client() {
    RedisSettings settings;
    settings.addresses = {server_->address()};
    auto client = RedisClient::Create(settings, &clock_);
    EXPECT_TRUE(client.ok()) << client.status();
    return std::move(client).value();
  }
  std::unique_ptr<RedisStateLog> Log() {
    RedisStateLog::Options options{"ns", "job", "id",
                                   [](const std::string&, int unit) { return unit; },
                                   std::chrono::seconds(60)};
    return std::make_unique<RedisStateLog>(Client(), options, &clock_);
  }
  // A log that goes on at a report, as another worker would.
  std::unique_ptr<RedisStateLog> Successor(const std::string& report, int64_t committed) {
    Heads heads;
    EXPECT_TRUE(DecodeHeads(report, &heads).ok());
    auto log = Log();
    EXPECT_TRUE(log->Recover("2-b", committed, heads, {}).ok());
    return log;
  }
  int64_t Keys() { return Client()->Run({"", {"DBSIZE"}}, {}).value().integer; }

  SystemClock clock_;
  std::unique_ptr<RedisServer> server_;
};

TEST_F(RedisStateLogTest, GivesASuccessorWhatTheReportNames) {
  auto log = Log();
  ASSERT_TRUE(log->Recover("1-a", 0, {}, {}).ok());
  ASSERT_TRUE(log->PutDelta("count", 3, "one").ok());
  ASSERT_TRUE(log->PutDelta("count", 4, std::string(100000, 'x')).ok());
  ASSERT_TRUE(log->Flush(1, {}).ok());
  ASSERT_TRUE(log->PutDelta("count", 3, "two").ok());
  ASSERT_TRUE(log->Flush(2, {}).ok());
  const std::string report = log->Report();
  ASSERT_TRUE(log->PutDelta("count", 3, "never committed").ok());
  ASSERT_TRUE(log->Flush(3, {}).ok());
  const auto next = Successor(report, 2);
  EXPECT_EQ(next->Load("count", 3)->deltas, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(next->Load("count", 4)->deltas, (std::vector<std::string>{std::string(100000, 'x')}));
  EXPECT_TRUE(next->Load("count", 5)->deltas.empty());
}

TEST_F(RedisStateLogTest, CutsChainsAtSnapshotsAndSweepsWhatIsBehindThem) {
  auto log = Log();
  ASSERT_TRUE(log->Recover("1-a", 0, {}, {}).ok());
  int64_t batch = 0;
  while (!log->WantsSnapshot("count", 1)) {
    ASSERT_TRUE(log->PutDelta("count", 1, "d" + std::to_string(++batch)).ok());
    ASSERT_TRUE(log->Flush(batch, {}).ok());
  }
  ASSERT_TRUE(log->PutSnapshot("count", 1, "all").ok());
  ASSERT_TRUE(log->Flush(++batch, {}).ok());
  const MonotonicTime later = clock_.Monotonic() + std::chrono::seconds(61);
  EXPECT_EQ(*log->Sweep(batch - 1, later, 1000, {}), 0) << "the snapshot is not committed";
  EXPECT_EQ(*log->Sweep(batch, clock_.Monotonic(), 1000, {}), 0) << "a rollback may need them";
  EXPECT_EQ(*log->Sweep(batch, later, 1000, {}), batch - 1);
  EXPECT_EQ(Keys(), 2) << "snapshot and index";
  const auto next = Successor(log->Report(), batch);
  EXPECT_EQ(next->Load("count", 1)->snapshot, "all");
  EXPECT_TRUE(next->Load("count", 1)->deltas.empty());
}

TEST_F(RedisStateLogTest, SweepsWhatFailedAttemptsLeft) {
  auto log = Log();
  ASSERT_TRUE(log->Recover("1-a", 0, {}, {}).ok());
  ASSERT_TRUE(log->PutDelta("count", 1, "kept").ok());
  ASSERT_TRUE(log->Flush(1, {}).ok());
  const std::string report = log->Report();
  ASSERT_TRUE(log->PutDelta("count", 1, "lost").ok());
  ASSERT_TRUE(log->Flush(2, {}).ok());
  const auto next = Successor(report, 1);
  EXPECT_EQ(*next->Sweep(1, clock_.Monotonic() + std::chrono::seconds(61), 1000, {}), 1);
  EXPECT_EQ(Successor(report, 1)->Load("count", 1)->deltas, (std::vector<std::string>{"kept"}));
}

TEST_F(RedisStateLogTest, SaysThatABlobIsMissingOrDamaged) {
  auto log = Log();
  ASSERT_TRUE(log->Recover("1-a", 0, {}, {}).ok());
  ASSERT_TRUE(log->PutDelta("count", 1, "one").ok());
  ASSERT_TRUE(log->Flush(1, {}).ok());
  Heads heads;
  ASSERT_TRUE(DecodeHeads(log->Report(), &heads).ok());
  const std::string key = "mr:{ns/job/id/1}:d:count:1:1-a:0";
  ASSERT_TRUE(Client()->Run({key, {"SETRANGE", key, "20", "!"}}, {}).ok());
  EXPECT_NE(Log()->Recover("2-b", 1, heads, {}).message().find("StateLost: "), std::string::npos);
  ASSERT_TRUE(Client()->Run({key, {"DEL", key}}, {}).ok());
  EXPECT_EQ(Log()->Recover("2-b", 1, heads, {}).message(),
            "StateLost: blob " + key + " is missing from the state store");
}

TEST(BlobFormatTest, KeepsBytesAndRefusesCutOnes) {
  for (const std::string& raw : {std::string(), std::string("a\0b", 3), std::string(5000, 'z')}) {
    const std::string bytes = EncodeBlob(BlobName{false, 7, "1-a", 2}, raw);
    const Result<DecodedBlob> blob = DecodeBlob(bytes);
    ASSERT_TRUE(blob.ok()) << blob.status();
    EXPECT_EQ(blob->raw, raw);
    EXPECT_EQ(blob->previous, (BlobName{false, 7, "1-a", 2}));
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(DecodeBlob(bytes.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace millrace::worker
