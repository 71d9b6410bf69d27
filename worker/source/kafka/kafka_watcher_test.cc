#include "worker/source/kafka/kafka_watcher.h"

#include <gtest/gtest.h>

#include "worker/client/kafka/error_code.h"
#include "worker/client/kafka/fake_broker.h"

namespace millrace::worker {
namespace {

const std::string kTopicId = "QUFBQUFBQUFBQUFBQUFBQQ";  // sixteen times "A"

// A cluster of one broker that does not know topic "lines" for the first `blind` questions.
class KafkaWatcherTest : public ::testing::Test {
 protected:
  Status Look(int blind, const std::map<std::string, std::string>& ids) {
    int port = 0;
    FakeBroker broker([&](int key, std::string_view) -> std::optional<std::string> {
      if (key == kApiVersions.key) return ApiVersionsAnswer();
      if (key == kApiListOffsets.key) return FakeOffsets(7);
      const bool known = blind-- <= 0;
      return MetadataAnswer({port}, 0, 'A', known ? kErrorNone : kErrorUnknownTopicOrPartition);
    });
    port = broker.port();
    KafkaClientOptions options;
    options.brokers = {broker.address()};
    const auto cluster = KafkaCluster::Create(options, &clock_);
    KafkaWatcherOptions watched;
    watched.spec.topics = {"lines"};
    KafkaWatcher watcher(watched, cluster->get(), &clock_);
    const Status status = watcher.LookNow(ids, {});
    if (status.ok()) view_ = watcher.view().value();
    return status;
  }

  ManualClock clock_{TimePoint{}};
  KafkaView view_;
};

TEST_F(KafkaWatcherTest, FindsATopicThatNotEveryBrokerKnowsYet) {
  ASSERT_TRUE(Look(2, {}).ok());
  ASSERT_EQ(view_.partitions.size(), 1u);
  EXPECT_EQ(view_.partitions[0].end, 7);
}

TEST_F(KafkaWatcherTest, FindsATopicThatWasReadBeforeThoughABrokerDoesNotKnowIt) {
  ASSERT_TRUE(Look(2, {{"lines", kTopicId}}).ok());
  EXPECT_EQ(view_.topic_ids.at("lines"), kTopicId);
}

TEST_F(KafkaWatcherTest, GivesUpOnATopicThatNobodyKnows) {
  EXPECT_EQ(Look(100, {}).code(), StatusCode::kNotFound);
}

TEST_F(KafkaWatcherTest, SaysThatATopicThatWasReadIsGone) {
  EXPECT_EQ(Look(100, {{"lines", kTopicId}}).code(), StatusCode::kGone);
}

TEST_F(KafkaWatcherTest, SaysAtOnceThatATopicWasRecreated) {
  EXPECT_EQ(Look(0, {{"lines", "QkJCQkJCQkJCQkJCQkJCQg"}}).code(), StatusCode::kGone);
  EXPECT_EQ(clock_.Monotonic(), MonotonicTime{});
}

}  // namespace
}  // namespace millrace::worker
