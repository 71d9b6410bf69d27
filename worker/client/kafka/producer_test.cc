#include "worker/client/kafka/producer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

constexpr int16_t kProduce = 0;
constexpr int16_t kInitProducerId = 22;
constexpr int16_t kEndTxn = 26;

// The library's own imitation of a cluster: good for errors, not for what readers see.
class ProducerTest : public ::testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP()
        << "ThreadSanitizer does not know the C11 threads of librdkafka and crashes in them";
#endif
    char reason[128];
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), reason, sizeof(reason));
    cluster_ = rd_kafka_mock_cluster_new(client_, 1);
    rd_kafka_mock_topic_create(cluster_, "words", 2, 1);
  }
  void TearDown() override {
    if (client_ == nullptr) return;
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }

  std::unique_ptr<KafkaProducer> Make(const std::string& transactional_id = "job.out.0") {
    KafkaProducerOptions options;
    options.client.brokers = {rd_kafka_mock_cluster_bootstraps(cluster_)};
    options.transactional_id = transactional_id;
    options.transaction_timeout = std::chrono::seconds(10);
    return KafkaProducer::Create(options, &clock_).value();
  }

  // Writes one record and commits.
  KafkaSettled Write(KafkaProducer* producer) {
    const int topic = producer->Topic("words").value();
    const std::string_view value = "a value";
    const uint32_t row = 0;
    KafkaRows rows;
    rows.values = {&value, 1};
    rows.topics = {&topic, 1};
    rows.rows = {&row, 1};
    Status status = producer->Begin();
    if (status.ok()) status = producer->Produce(rows, {});
    EXPECT_TRUE(status.ok()) << status;
    return producer->Commit({});
  }

  void Fail(int16_t api_key, rd_kafka_resp_err_t error) {
    rd_kafka_mock_push_request_errors(cluster_, api_key, 1, error);
  }

  SystemClock clock_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

TEST_F(ProducerTest, CommitsOneTransactionAfterTheOther) {
  const auto producer = Make();
  ASSERT_TRUE(producer->Start({}).ok());
  EXPECT_EQ(producer->PartitionCount(producer->Topic("words").value(), {}).value(), 2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Write(producer.get()).outcome, KafkaOutcome::kCommitted);
}

TEST_F(ProducerTest, AcknowledgesWithoutTransactions) {
  const auto producer = Make("");
  ASSERT_TRUE(producer->Start({}).ok());
  EXPECT_EQ(Write(producer.get()).outcome, KafkaOutcome::kCommitted);
}

TEST_F(ProducerTest, AbortsWhenABrokerRefusesRecords) {
  struct Case {
    rd_kafka_resp_err_t error;
    StatusCode code;
    std::string too_large_topic;
  };
  const Case cases[] = {
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, StatusCode::kUnavailable, "words"},
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, StatusCode::kInvalid, ""},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, StatusCode::kInvalid, ""},
  };
  for (const Case& test : cases) {
    const auto producer = Make();
    ASSERT_TRUE(producer->Start({}).ok());
    Fail(kProduce, test.error);
    const KafkaSettled settled = Write(producer.get());
    EXPECT_EQ(settled.outcome, KafkaOutcome::kAborted) << settled.status;
    EXPECT_EQ(settled.status.code(), test.code) << settled.status;
    EXPECT_EQ(settled.too_large_topic, test.too_large_topic);
    EXPECT_THAT(settled.status.message(), HasSubstr("topic words"));
    EXPECT_THAT(settled.status.message(), ::testing::Not(HasSubstr("a value")));
  }
}

TEST_F(ProducerTest, TriesAgainWhatMayPass) {
  const auto producer = Make();
  ASSERT_TRUE(producer->Start({}).ok());
  Fail(kProduce, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
  EXPECT_EQ(Write(producer.get()).outcome, KafkaOutcome::kCommitted);
}

TEST_F(ProducerTest, IsSpentWhenACommitWasSentTwice) {
  const auto producer = Make();
  ASSERT_TRUE(producer->Start({}).ok());
  EXPECT_FALSE(Write(producer.get()).spent);
  Fail(kEndTxn, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
  const KafkaSettled settled = Write(producer.get());
  EXPECT_EQ(settled.outcome, KafkaOutcome::kCommitted) << settled.status;
  EXPECT_TRUE(settled.spent);
}

TEST_F(ProducerTest, FencedCommitLeavesADeadProducer) {
  const auto producer = Make();
  ASSERT_TRUE(producer->Start({}).ok());
  Fail(kEndTxn, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
  const KafkaSettled settled = Write(producer.get());
  EXPECT_EQ(settled.outcome, KafkaOutcome::kUnknown);
  EXPECT_EQ(settled.status.code(), StatusCode::kAborted) << settled.status;
  EXPECT_EQ(producer->Begin().code(), StatusCode::kInternal);
}

TEST_F(ProducerTest, NamesWhyTransactionsMayNotBegin) {
  const auto producer = Make();
  Fail(kInitProducerId, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
  EXPECT_EQ(producer->Start({}).code(), StatusCode::kInvalid);
}

TEST_F(ProducerTest, RefusesSettingsThatTheLibraryDoesNotKnow) {
  KafkaProducerOptions options;
  options.client.brokers = {"127.0.0.1:1"};
  options.client.properties = {{"linger.ms", "soon"}};
  const Status status = KafkaProducer::Create(options, &clock_).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalid);
  EXPECT_THAT(status.message(), HasSubstr("linger.ms"));
}

}  // namespace
}  // namespace millrace::worker
