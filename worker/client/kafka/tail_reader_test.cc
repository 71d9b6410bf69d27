#include "worker/client/kafka/tail_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "worker/client/kafka/batch_builder.h"
#include "worker/client/kafka/fake_broker.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;

constexpr int16_t kNotLeader = 6;
const std::string kTopicId = "QUFBQUFBQUFBQUFBQUFBQQ";  // sixteen times "A"
const KafkaPartition kWhere{"lines", 0};

// A partition whose record n is the text of n, `records_each` in a response, up to `end`.
class TailReaderTest : public ::testing::Test {
 protected:
  TailReaderTest() : broker_([this](int key, std::string_view body) { return Answer(key, body); }) {
    options_.brokers = {broker_.address()};
    cluster_ = KafkaCluster::Create(options_, &clock_).value();
    cluster_->ReadAhead(KafkaIsolation::kReadCommitted, std::chrono::milliseconds(1));
  }
  ~TailReaderTest() override { cluster_.reset(); }

  std::optional<std::string> Answer(int key, std::string_view body) {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    if (key == kApiMetadata.key) return MetadataAnswer({broker_.port()}, 0);
    const int64_t offset = FetchOffset(body);
    if (offset < kMost) ++asked_[offset];
    if (offset == failing_.exchange(-1)) return FakeFetch("", kNotLeader);
    if (offset >= end_) return FakeFetch("");
    BatchBuilder builder({.base_offset = offset});
    for (int64_t n = offset; n < offset + records_each_; ++n) {
      builder.Add(std::nullopt, std::to_string(n) + std::string(padding_, '.'));
    }
    return FakeFetch(builder.Build());
  }

  Status Fetch(int64_t from, int64_t to) {
    const KafkaVisitor visitor = [this](KafkaRecords records) {
      for (const std::string_view value : records.values) {
        values_.emplace_back(value.substr(0, value.find('.')));
      }
      return OkStatus();
    };
    return cluster_->Fetch({kWhere, kTopicId, from, to}, KafkaIsolation::kReadCommitted, {},
                           visitor, {});
  }

  static constexpr int64_t kMost = 16;
  std::array<std::atomic<int>, kMost> asked_{};  // how often, by offset
  std::atomic<int64_t> failing_ = -1;            // the next request from there fails
  int64_t end_ = 4;
  int records_each_ = 2;
  size_t padding_ = 0;
  ManualClock clock_{TimePoint{}};
  KafkaClientOptions options_;
  std::vector<std::string> values_;
  FakeBroker broker_;
  std::unique_ptr<KafkaCluster> cluster_;
};

TEST_F(TailReaderTest, HoldsTheNextRangeBeforeItIsWanted) {
  ASSERT_TRUE(Fetch(0, 2).ok());
  while (asked_[4] == 0) std::this_thread::yield();
  ASSERT_TRUE(Fetch(2, 4).ok());
  EXPECT_THAT(values_, ElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(asked_[2], 1);
}

TEST_F(TailReaderTest, KnowsWhereThePartitionEnds) {
  EXPECT_EQ(cluster_->EndAhead(kWhere), std::nullopt);
  ASSERT_TRUE(Fetch(0, 2).ok());
  while (asked_[4] == 0) std::this_thread::yield();
  EXPECT_EQ(cluster_->EndAhead(kWhere), 100);
}

TEST_F(TailReaderTest, GivesRangesThatCutWhatItHolds) {
  records_each_ = 4;
  end_ = 8;
  ASSERT_TRUE(Fetch(0, 4).ok());
  while (asked_[8] == 0) std::this_thread::yield();
  for (int64_t from = 4; from < 8; ++from) ASSERT_TRUE(Fetch(from, from + 1).ok());
  EXPECT_THAT(values_, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7"));
  EXPECT_EQ(asked_[4], 1);
}

TEST_F(TailReaderTest, LeavesToTheOrdinaryFetchWhatItDoesNotHold) {
  failing_ = 2;
  ASSERT_TRUE(Fetch(0, 2).ok());
  while (asked_[2] == 0) std::this_thread::yield();
  ASSERT_TRUE(Fetch(2, 4).ok());
  EXPECT_THAT(values_, ElementsAre("0", "1", "2", "3"));
}

TEST_F(TailReaderTest, ReadsABatchAgainAfterWhatFollowsWasReadAhead) {
  ASSERT_TRUE(Fetch(0, 2).ok());
  while (asked_[4] == 0) std::this_thread::yield();
  ASSERT_TRUE(Fetch(0, 2).ok());
  ASSERT_TRUE(Fetch(2, 4).ok());
  EXPECT_THAT(values_, ElementsAre("0", "1", "0", "1", "2", "3"));
}

TEST_F(TailReaderTest, AsksForNoMoreThanItMayHold) {
  records_each_ = 1;
  padding_ = TailReader::kMaxHeldBytes;
  ASSERT_TRUE(Fetch(0, 1).ok());
  while (asked_[1] == 0) std::this_thread::yield();
  ASSERT_TRUE(Fetch(1, 2).ok());
  while (asked_[2] == 0) std::this_thread::yield();
  EXPECT_EQ(asked_[3], 0);
  EXPECT_THAT(values_, ElementsAre("0", "1"));
}

}  // namespace
}  // namespace millrace::worker
