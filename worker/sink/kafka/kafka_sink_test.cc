#include "worker/sink/kafka/kafka_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/sink/kafka/kafka_sink_fixture.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using End = FakeKafka::End;

class KafkaSinkTest : public KafkaSinkFixture {};

TEST_F(KafkaSinkTest, WritesRowsWithKeyHeaderPartitionAndBatchTime) {
  const auto sink = Make();
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(Deliver(sink.get(), 1, {{"the", 3}, {"gone", 1, true}}).ok());
  const std::vector<FakeRecord>& records = kafka_.topics["words"];
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].value, R"({"word":"the","count":3})");
  EXPECT_EQ(records[0].partition, 3);
  EXPECT_EQ(records[0].timestamp_ms, 1'000'000);
  EXPECT_EQ(records[0].headers[0].second, "3");
  EXPECT_EQ(records[1].key, "gone");
  EXPECT_EQ(records[1].value, std::nullopt);
  EXPECT_EQ(sink->ReadLedger()->batch, 1);
}

TEST_F(KafkaSinkTest, BatchWithoutRowsMakesNoTransaction) {
  const auto sink = Make();
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  const int before = kafka_.commits;
  ASSERT_TRUE(Deliver(sink.get(), 1, {}).ok());
  EXPECT_EQ(kafka_.commits, before);
  EXPECT_EQ(sink->ReadLedger()->batch, 0);
}

TEST_F(KafkaSinkTest, NextProcessSkipsWhatTheLedgerNames) {
  ASSERT_TRUE(Make()->Open(SoleSeat("1-a", 0)).ok());
  const auto first = Make();
  ASSERT_TRUE(first->Open(SoleSeat("2-b", 0)).ok());
  ASSERT_TRUE(Deliver(first.get(), 1, {{"a", 1}}).ok());
  const auto second = Make();
  ASSERT_TRUE(second->Open(SoleSeat("3-c", 0)).ok());
  EXPECT_EQ(second->ReadLedger()->batch, 1);
  ASSERT_TRUE(Deliver(second.get(), 1, {{"a", 1}}).ok());
  EXPECT_THAT(Keys("words"), ElementsAre("a"));
}

TEST_F(KafkaSinkTest, OtherHistoryOfABatchIsRefused) {
  const auto sink = Make();
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(Deliver(sink.get(), 1, {{"a", 1}}, "aa").ok());
  const Status status = Deliver(sink.get(), 1, {{"a", 2}}, "bb");
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("StateRolledBack"));
  EXPECT_THAT(status.message(), HasSubstr("bb"));
  EXPECT_THAT(Keys("words"), ElementsAre("a"));
}

TEST_F(KafkaSinkTest, UnknownOutcomeIsSettledByTheNextDelivery) {
  for (const End end : {End::kUnknownCommitted, End::kUnknownAborted, End::kAbort}) {
    kafka_ = {};
    kafka_.topics["words"];
    const auto sink = Make();
    ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
    kafka_.ends = {end};
    EXPECT_EQ(Deliver(sink.get(), 1, {{"a", 1}}).code(), StatusCode::kUnavailable);
    ASSERT_TRUE(Deliver(sink.get(), 1, {{"a", 1}}).ok());
    EXPECT_THAT(Keys("words"), ElementsAre("a"));
    EXPECT_EQ(kafka_.producers, 2);
  }
}

TEST_F(KafkaSinkTest, ProducerWithACommitUnderwayWritesNoMoreBatches) {
  const auto sink = Make();
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  kafka_.ends = {End::kLate};
  ASSERT_TRUE(Deliver(sink.get(), 1, {{"a", 1}}).ok());
  ASSERT_TRUE(Deliver(sink.get(), 2, {{"b", 1}}).ok());
  EXPECT_THAT(Keys("words"), ElementsAre("a", "b"));
  EXPECT_EQ(kafka_.producers, 2);
}

TEST_F(KafkaSinkTest, TransactionThatBrokersGaveUpIsWrittenAgain) {
  const auto sink = Make();
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  kafka_.ends = {End::kExpire};
  const Status status = Deliver(sink.get(), 1, {{"a", 1}});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("transactionTimeout"));
  ASSERT_TRUE(Deliver(sink.get(), 1, {{"a", 1}}).ok());
  EXPECT_THAT(Keys("words"), ElementsAre("a"));
}

TEST_F(KafkaSinkTest, LedgerThatIsGoneIsALoss) {
  const auto sink = Make();
  sink->ExpectHistory();
  const Status status = sink->Open(SoleSeat("2-b", 7));
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("StateLost: the ledger ledger of Kafka sink out"));
  EXPECT_EQ(kafka_.commits, 0) << "the next start must see the same";
}

TEST_F(KafkaSinkTest, NewSinkOfAnOldJobNeedsNoLedger) {
  EXPECT_TRUE(Make()->Open(SoleSeat("2-b", 7)).ok());
}

TEST_F(KafkaSinkTest, ReplacedProcessIsFenced) {
  const auto old = Make();
  ASSERT_TRUE(old->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(Make()->Open(SoleSeat("2-b", 0)).ok());
  EXPECT_EQ(Deliver(old.get(), 1, {{"a", 1}}).code(), StatusCode::kAborted);
  EXPECT_THAT(Keys("words"), ElementsAre());
}

TEST_F(KafkaSinkTest, ReplacedProcessDoesNotFenceItsSuccessorWhileSettling) {
  const auto old = Make();
  ASSERT_TRUE(old->Open(SoleSeat("1-a", 0)).ok());
  kafka_.ends = {End::kUnknownAborted};
  EXPECT_TRUE(Deliver(old.get(), 1, {{"a", 1}}).retryable());
  const auto next = Make();
  ASSERT_TRUE(next->Open(SoleSeat("2-b", 0)).ok());
  EXPECT_EQ(Deliver(old.get(), 1, {{"a", 1}}).code(), StatusCode::kAborted);
  ASSERT_TRUE(Deliver(next.get(), 1, {{"a", 1}}).ok());
  EXPECT_THAT(Keys("words"), ElementsAre("a"));
}

TEST_F(KafkaSinkTest, RejectsRowsForTheirTopicPartitionAndSize) {
  kafka_.limits["words"] = 2048;
  const auto sink = Make("word == 'x' ? 'no such' : word == 'y' ? 'missing' : 'words'");
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  kafka_.ends = {End::kTooLarge};
  const std::string large(1800, 'l');
  ASSERT_TRUE(Deliver(sink.get(), 1, {{"x", 1}, {"y", 1}, {"p", 7}, {large, 1}, {"good", 2}}).ok());
  EXPECT_THAT(Keys("words"), ElementsAre("good"));
  ASSERT_EQ(rejected_.size(), 4u);
  EXPECT_THAT(rejected_[0].message, HasSubstr("cannot be the name of a Kafka topic"));
  EXPECT_THAT(rejected_[1].message, HasSubstr("missing does not exist"));
  EXPECT_THAT(rejected_[2].message, HasSubstr("partitions 0 to 3"));
  EXPECT_THAT(rejected_[3].message, HasSubstr("takes at most 1536"));
}

TEST_F(KafkaSinkTest, MissingTopicEndsTheJob) {
  kafka_.topics.erase("words");
  EXPECT_EQ(Make()->Open(SoleSeat("1-a", 0)).code(), StatusCode::kNotFound);
}

TEST_F(KafkaSinkTest, JobWithoutStateCannotSettleAnUnknownOutcome) {
  const auto sink = Make("", false);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  kafka_.ends = {End::kUnknownCommitted};
  EXPECT_TRUE(Deliver(sink.get(), 1, {{"a", 1}}).retryable());
  EXPECT_EQ(Deliver(sink.get(), 1, {{"a", 1}}).code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace millrace::worker
