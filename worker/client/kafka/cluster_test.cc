#include "worker/client/kafka/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "worker/client/kafka/batch_builder.h"
#include "worker/client/kafka/fake_broker.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kTopicId = "QUFBQUFBQUFBQUFBQUFBQQ";  // sixteen times "A"

std::string Batch(int64_t base, std::initializer_list<std::string_view> values) {
  BatchBuilder builder({.base_offset = base});
  for (const std::string_view value : values) builder.Add(std::nullopt, value);
  return builder.Build();
}

// A cluster whose brokers the test writes; the clock moves only when something waits.
class KafkaClusterTest : public ::testing::Test {
 protected:
  std::unique_ptr<KafkaCluster> Connect(const FakeBroker& broker) {
    options_.brokers = {broker.address()};
    auto cluster = KafkaCluster::Create(options_, &clock_);
    CHECK(cluster.ok());
    return std::move(cluster).value();
  }
  Status Fetch(KafkaCluster* cluster, int64_t to, std::stop_token stop = {}) {
    const KafkaVisitor visitor = [this](KafkaRecords records) {
      for (const std::string_view value : records.values) values_.emplace_back(value);
      return OkStatus();
    };
    return cluster->Fetch({{"lines", 0}, kTopicId, 0, to}, KafkaIsolation::kReadCommitted, {},
                          visitor, stop);
  }

  ManualClock clock_{TimePoint{}};
  KafkaClientOptions options_;
  std::vector<std::string> values_;
};

TEST_F(KafkaClusterTest, FollowsTheLeaderWithoutRepeatingRecords) {
  std::vector<int> ports;
  int leader = 0;
  std::vector<int64_t> asked;
  FakeBroker second([&](int key, std::string_view body) -> std::optional<std::string> {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    if (key == kApiMetadata.key) return MetadataAnswer(ports, 1);
    asked.push_back(FetchOffset(body));
    return FakeFetch(Batch(0, {"a", "b", "c"}) + Batch(3, {"d"}));
  });
  FakeBroker first([&](int key, std::string_view body) -> std::optional<std::string> {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    if (key == kApiMetadata.key) return MetadataAnswer(ports, leader);
    if (FetchOffset(body) == 0) return FakeFetch(Batch(0, {"a", "b"}));
    leader = 1;
    return FakeFetch("", 6);
  });
  ports = {first.port(), second.port()};
  EXPECT_TRUE(Fetch(Connect(first).get(), 4).ok());
  EXPECT_THAT(values_, ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(asked, ElementsAre(2));
}

TEST_F(KafkaClusterTest, GoesOnBehindLostConnections) {
  int port = 0;
  int fetches = 0;
  FakeBroker broker([&](int key, std::string_view body) -> std::optional<std::string> {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    if (key == kApiMetadata.key) return MetadataAnswer({port}, 0);
    if (++fetches % 2 == 0) return std::nullopt;
    const int64_t offset = FetchOffset(body);
    return FakeFetch(Batch(offset, {std::to_string(offset)}));
  });
  port = broker.port();
  EXPECT_TRUE(Fetch(Connect(broker).get(), 4).ok());
  EXPECT_THAT(values_, ElementsAre("0", "1", "2", "3"));
}

TEST_F(KafkaClusterTest, SaysWhenTheTopicWasRecreated) {
  int port = 0;
  FakeBroker broker([&](int key, std::string_view) -> std::optional<std::string> {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    return MetadataAnswer({port}, 0, 'B');
  });
  port = broker.port();
  const Status status = Fetch(Connect(broker).get(), 4);
  EXPECT_EQ(status.code(), StatusCode::kGone);
  EXPECT_THAT(status.message(), HasSubstr("SourceChanged: topic lines with the id " + kTopicId));
  EXPECT_THAT(status.message(), HasSubstr("now has the id QkJCQkJCQkJCQkJCQkJCQg"));
}

TEST_F(KafkaClusterTest, SaysWhenTheTopicWasDeleted) {
  FakeBroker broker([&](int key, std::string_view) -> std::optional<std::string> {
    return key == kApiVersions.key ? ApiVersionsAnswer() : MetadataAnswer({1}, 0, 'A', 3);
  });
  const Status status = Fetch(Connect(broker).get(), 4);
  EXPECT_EQ(status.code(), StatusCode::kGone);
  EXPECT_THAT(status.message(), HasSubstr("UNKNOWN_TOPIC_OR_PARTITION"));
}

TEST_F(KafkaClusterTest, GivesUpWhenNoRecordComes) {
  int port = 0;
  FakeBroker broker([&](int key, std::string_view) -> std::optional<std::string> {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    if (key == kApiMetadata.key) return MetadataAnswer({port}, 0);
    clock_.Advance(std::chrono::seconds(10));
    return FakeFetch("");
  });
  port = broker.port();
  const Status status = Fetch(Connect(broker).get(), 4);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("fetch lines/0 from offset 0"));
  EXPECT_THAT(status.message(), HasSubstr("the range ends at 4, the partition at 100"));
}

TEST_F(KafkaClusterTest, NeverAsksForAPartitionTwiceInOneRequest) {
  int port = 0;
  int requests = 0;
  FakeBroker broker([&](int key, std::string_view body) -> std::optional<std::string> {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    if (key == kApiMetadata.key) return MetadataAnswer({port}, 0);
    ++requests;
    EXPECT_EQ(body.size(), 32u);
    return FakeOffsets(requests * 10);
  });
  port = broker.port();
  const auto answers =
      Connect(broker)->ListOffsets({{{"lines", 0}, kKafkaEarliest}, {{"lines", 0}, kKafkaLatest}},
                                   KafkaIsolation::kReadCommitted, {});
  ASSERT_TRUE(answers.ok());
  EXPECT_EQ(answers->at(0).offset, 10);
  EXPECT_EQ(answers->at(1).offset, 20);
  EXPECT_EQ(answers->at(1).leader_epoch, 5);
}

TEST_F(KafkaClusterTest, RefusesOldBrokers) {
  FakeBroker broker([&](int, std::string_view) { return std::optional(ApiVersionsAnswer(12)); });
  const auto topics = Connect(broker)->Metadata({}, {});
  EXPECT_EQ(topics.status().code(), StatusCode::kInvalid);
  EXPECT_THAT(topics.status().message(),
              HasSubstr("no Fetch of version 13; Kafka 3.1 or newer is needed"));
}

TEST_F(KafkaClusterTest, HintsAtTlsAndSaslWhenBrokersHangUp) {
  FakeBroker at_once([&](int, std::string_view) { return std::optional<std::string>(); });
  EXPECT_THAT(Connect(at_once)->Metadata({}, {}).status().message(),
              HasSubstr("does the port want TLS?"));
  FakeBroker later([&](int key, std::string_view) {
    return key == kApiVersions.key ? std::optional(ApiVersionsAnswer()) : std::nullopt;
  });
  EXPECT_THAT(Connect(later)->Metadata({}, {}).status().message(),
              HasSubstr("does the port want sasl?"));
}

TEST_F(KafkaClusterTest, SaysThatAPasswordIsWrongWithoutShowingIt) {
  std::string pattern = ::testing::TempDir() + "/kafka-XXXXXX";
  options_.secrets_directory = mkdtemp(pattern.data());
  std::filesystem::create_directory(options_.secrets_directory + "/login");
  std::ofstream(options_.secrets_directory + "/login/password") << "open-sesame";
  api::Sasl sasl;
  sasl.secret_name = "login";
  sasl.username = "alice";
  options_.sasl = sasl;
  FakeBroker broker([&](int key, std::string_view) -> std::optional<std::string> {
    std::string body;
    KafkaWriter writer(&body);
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    writer.I16(key == kApiSaslHandshake.key ? 0 : 58);
    if (key == kApiSaslHandshake.key) {
      writer.I32(0);
    } else {
      writer.CompactString("no such user");
      writer.CompactBytes("");
      writer.I64(0);
      writer.NoTags();
    }
    return body;
  });
  const Status status = Connect(broker)->Metadata({}, {}).status();
  std::filesystem::remove_all(options_.secrets_directory);
  EXPECT_EQ(status.code(), StatusCode::kInvalid);
  EXPECT_EQ(status.message(),
            "sign in to " + broker.address() +
                ": PLAIN (no such user): SASL_AUTHENTICATION_FAILED (58); wrong user name, "
                "password or token");
}

TEST_F(KafkaClusterTest, HearsStopWhileWaitingForRecords) {
  std::stop_source stop;
  int port = 0;
  FakeBroker broker([&](int key, std::string_view) -> std::optional<std::string> {
    if (key == kApiVersions.key) return ApiVersionsAnswer();
    if (key == kApiMetadata.key) return MetadataAnswer({port}, 0);
    stop.request_stop();
    return FakeFetch("");
  });
  port = broker.port();
  EXPECT_EQ(Fetch(Connect(broker).get(), 4, stop.get_token()).code(), StatusCode::kAborted);
}

TEST_F(KafkaClusterTest, RefusesPropertiesAndAddressesThatCannotBe) {
  options_.brokers = {"localhost:9092"};
  options_.properties = {{"fetch.max.bytes", "8MB"}};
  EXPECT_EQ(KafkaCluster::Create(options_, &clock_).status().message(),
            "the Kafka property \"fetch.max.bytes\" is \"8MB\"; expected a number from 1024 to "
            "268435456");
  options_.properties = {};
  for (const char* address :
       {"localhost", ":9092", "localhost:0", "localhost:70000", "localhost:9x"}) {
    options_.brokers = {address};
    EXPECT_THAT(KafkaCluster::Create(options_, &clock_).status().message(),
                HasSubstr("is not host:port"))
        << address;
  }
}

}  // namespace
}  // namespace millrace::worker
