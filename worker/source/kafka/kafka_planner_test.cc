#include "worker/source/kafka/kafka_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;
using MissingOffsets = api::KafkaSource::MissingOffsets;

KafkaView View(std::vector<KafkaPartitionView> partitions) {
  KafkaView view;
  for (const KafkaPartitionView& partition : partitions)
    view.topic_ids[partition.topic] = "id-" + partition.topic;
  view.partitions = std::move(partitions);
  return view;
}

KafkaCursor CursorOver(const KafkaView& view, const KafkaBounds& bounds = {},
                       bool bounded = false) {
  KafkaCursor cursor;
  ExtendCursor(view, bounds, {"lines", MissingOffsets::kFail, bounded}, &cursor);
  return cursor;
}

// "unit:from-to" of every range.
std::string Ranges(const Result<SourceOffer>& offer) {
  if (!offer.ok()) return offer.status().message();
  std::string text;
  for (const PartitionRange& range : offer->ranges)
    text += std::to_string(range.partition) + ":" + range.from + "-" + range.to + " ";
  return text + (offer->ended ? "end" : "lag " + std::to_string(offer->lag_records));
}

std::string Offered(const KafkaCursor& cursor, const KafkaView& view,
                    const SourcePosition& position, int64_t max_records = 0,
                    int64_t max_per_partition = 0, KafkaOfferOptions options = {"lines"}) {
  OfferRequest request;
  request.position = &position;
  request.max_records = max_records;
  request.max_records_per_partition = max_per_partition;
  return Ranges(OfferKafka(cursor, view, options, request));
}

TEST(KafkaPlannerTest, OffersWhatEachPartitionHasAfterItsPosition) {
  const KafkaView view = View({{"a", 0, 0, 100}, {"a", 1, 10, 40}, {"b", 0, 0, 0}});
  EXPECT_EQ(Offered(CursorOver(view), view, {"", {{0, "30"}}}), "0:30-100 1:10-40 lag 0");
}

TEST(KafkaPlannerTest, SharesALimitByLag) {
  const KafkaView view = View({{"a", 0, 0, 900}, {"a", 1, 0, 90}, {"a", 2, 0, 10}});
  EXPECT_EQ(Offered(CursorOver(view), view, {}, 100), "0:0-90 1:0-9 2:0-1 lag 900");
}

TEST(KafkaPlannerTest, EveryPartitionGetsAtLeastOneRecord) {
  const KafkaView view = View({{"a", 0, 0, 1'000'000}, {"a", 1, 0, 1}});
  EXPECT_EQ(Offered(CursorOver(view), view, {}, 10), "0:0-9 1:0-1 lag 999991");
}

TEST(KafkaPlannerTest, HoldsTheUsersLimitOfEachPartition) {
  const KafkaView view = View({{"a", 0, 0, 900}, {"a", 1, 0, 3}});
  EXPECT_EQ(Offered(CursorOver(view), view, {}, 0, 5), "0:0-5 1:0-3 lag 895");
}

TEST(KafkaPlannerTest, BeginsWhereAFirstStartSays) {
  const KafkaView view = View({{"a", 0, 0, 100}, {"a", 1, 0, 100}});
  EXPECT_EQ(Offered(CursorOver(view, {{{"a/0", 70}, {"a/1", 100}}, {}}), view, {}),
            "0:70-100 lag 0");
}

TEST(KafkaPlannerTest, PartitionsFoundLaterStartAtTheirFirstRecordUnderNewUnits) {
  KafkaCursor cursor = CursorOver(View({{"b", 0, 0, 100}}), {{{"b/0", 100}}, {}});
  const KafkaView later = View({{"a", 0, 3, 5}, {"b", 0, 0, 100}, {"b", 1, 0, 7}});
  EXPECT_TRUE(ExtendCursor(later, {{{"b/0", 100}}, {}}, {"lines"}, &cursor));
  EXPECT_EQ(Offered(cursor, later, {}), "1:3-5 2:0-7 lag 0");
  EXPECT_FALSE(ExtendCursor(later, {}, {"lines"}, &cursor));
}

TEST(KafkaPlannerTest, EndsWhenAllPartitionsReachedTheirEnd) {
  const KafkaView view = View({{"a", 0, 0, 100}, {"a", 1, 0, 100}});
  const KafkaBounds bounds{{}, {{"a/0", 50}, {"a/1", 0}}};
  const KafkaCursor cursor = CursorOver(view, bounds, true);
  const KafkaOfferOptions options{"lines", MissingOffsets::kFail, true};
  EXPECT_EQ(Offered(cursor, view, {}, 20, 0, options), "0:0-20 lag 30");
  EXPECT_EQ(Offered(cursor, view, {"", {{0, "20"}}}, 0, 0, options), "0:20-50 end");
  EXPECT_EQ(Offered(cursor, view, {"", {{0, "50"}}}, 0, 0, options), "end");
}

TEST(KafkaPlannerTest, EndsComeAndGoWithTheJobsEndAt) {
  const KafkaView view = View({{"a", 0, 0, 100}, {"a", 1, 0, 100}});
  KafkaCursor cursor = CursorOver(View({{"a", 0, 0, 100}}));
  const KafkaOfferOptions bounded{"lines", MissingOffsets::kFail, true};
  const KafkaBounds bounds{{}, {{"a/0", 60}, {"a/1", 30}}};
  EXPECT_TRUE(ExtendCursor(view, bounds, bounded, &cursor));
  EXPECT_EQ(Offered(cursor, view, {"", {{0, "50"}}}, 0, 0, bounded), "0:50-60 1:0-30 end");
  EXPECT_FALSE(ExtendCursor(View({{"a", 0, 0, 100}, {"a", 2, 0, 9}}), bounds, bounded, &cursor))
      << "found later";
  EXPECT_TRUE(ExtendCursor(view, {}, {"lines"}, &cursor));
  EXPECT_EQ(Offered(cursor, view, {"", {{0, "60"}, {1, "30"}}}), "0:60-100 1:30-100 lag 0");
}

TEST(KafkaPlannerTest, FollowsThePolicyForRecordsThatAreGone) {
  const KafkaView view = View({{"a", 0, 60, 100}});
  const KafkaCursor cursor = CursorOver(View({{"a", 0, 0, 10}}));
  const SourcePosition position{"", {{0, "10"}}};
  EXPECT_EQ(Offered(cursor, view, position),
            "OffsetOutOfRange: a/0 is to be read from offset 10, but the broker has 60 to 100: "
            "records were dropped before \"lines\" "
            "read them. Set onMissingOffsets: Earliest or Latest to go on without them");
  EXPECT_EQ(Offered(cursor, view, position, 0, 0, {"lines", MissingOffsets::kEarliest}),
            "0:60-100 lag 0");
  EXPECT_EQ(Offered(cursor, view, position, 0, 0, {"lines", MissingOffsets::kLatest}), "lag 0");
}

TEST(KafkaPlannerTest, WaitsForPartitionsThatNoBrokerAnswersFor) {
  const KafkaCursor cursor = CursorOver(View({{"a", 0, 0, 10}}));
  EXPECT_EQ(Offered(cursor, View({}), {"", {{0, "4"}}}), "lag 0");
}

TEST(KafkaCursorTest, IsReadBackAsItWasWritten) {
  KafkaCursor cursor;
  cursor.topic_ids = {{"a", "x"}, {"b", "y"}};
  cursor.units = {{"a", 3, 17, std::nullopt}, {"b", 0, 0, 99}};
  const Result<KafkaCursor> back = KafkaCursor::Decode(cursor.Encode());
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, cursor);
}

TEST(KafkaCursorTest, RefusesDamagedText) {
  for (const char* text : {"kafka\t2", "kafka\t1\nunit\ta\t0\t1", "kafka\t1\nunit\ta\tx\t1\t-",
                           "kafka\t1\nother\ta\tb"}) {
    EXPECT_THAT(KafkaCursor::Decode(text).status().message(), HasSubstr("damaged Kafka cursor"))
        << text;
  }
}

}  // namespace
}  // namespace millrace::worker
