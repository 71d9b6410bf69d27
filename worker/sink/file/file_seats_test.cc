#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "worker/sink/file/file_sink_fixture.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;

SinkSeat SeatOf(const std::string& generation, int slot, int slots, int64_t committed = 0) {
  SinkSeat seat = SoleSeat(generation, committed);
  seat.slot = slot;
  seat.slots = slots;
  seat.max_slots = std::max(slots, 3);
  return seat;
}

// Several sinks as the seats of generations.
class FileSeatsTest : public FileSinkFixture {
 protected:
  using Seats = std::vector<std::unique_ptr<FileSink>>;

  Seats OpenAll(const std::string& generation, int slots, int64_t committed = 0,
                const std::string& path_expr = "") {
    Seats seats;
    for (int slot = 0; slot < slots; ++slot) {
      seats.push_back(MakeFileSink(path_, api::JsonFormat{}, path_expr));
      const Status status = seats.back()->Open(SeatOf(generation, slot, slots, committed));
      EXPECT_TRUE(status.ok()) << status;
    }
    const Result<SinkLedger> ledger = seats.back()->ReadLedger();
    EXPECT_TRUE(ledger.ok()) << ledger.status();
    for (const auto& sink : seats) sink->Skip(*ledger);
    ledger_ = *ledger;
    return seats;
  }
  Status DeliverUnits(FileSink* sink, int64_t batch, const std::vector<int>& units,
                      const std::string& word = "w") {
    std::vector<SinkPart> parts;
    for (const int unit : units) parts.push_back(WordPart("s", unit, {{word, unit}}));
    return sink->Deliver(BatchOf(batch), parts, &rejected_);
  }

  static std::vector<SinkPart> UnitParts(int first, int last) {
    std::vector<SinkPart> parts;
    for (int unit = first; unit < last; ++unit) parts.push_back(WordPart("s", unit, {{"w", unit}}));
    return parts;
  }

  SinkLedger ledger_;
  std::vector<RejectedRow> more_rejected_;
};

TEST_F(FileSeatsTest, NextGenerationOfAnySizeWritesEachTaskOnce) {
  for (const int slots : {1, 3}) {
    std::filesystem::remove_all(path_);
    const Seats first = OpenAll("1-a", 2);
    ASSERT_TRUE(DeliverUnits(first[1].get(), 1, {1}, "first").ok());
    const Seats next = OpenAll("2-b", slots);
    EXPECT_EQ(ledger_.batch, 1);
    EXPECT_EQ(ledger_.digest, "aaaaaaaa");
    EXPECT_THAT(ledger_.tasks, ElementsAre(SinkTask{"s", 1}));
    ASSERT_TRUE(DeliverUnits(next.front().get(), 1, {0}).ok());
    ASSERT_TRUE(DeliverUnits(next.back().get(), 1, {1, 2}).ok());
    EXPECT_THAT(Visible(),
                ElementsAre(Key("counts-s-0-1-aaaaaaaa.json"), Key("counts-s-1-1-aaaaaaaa.json"),
                            Key("counts-s-2-1-aaaaaaaa.json")));
    EXPECT_THAT(Visible()["counts-s-1-1-aaaaaaaa.json"], HasSubstr("first"));
  }
}

TEST_F(FileSeatsTest, EverySlotOfAnOlderGenerationIsFenced) {
  const Seats old = OpenAll("1-a", 3);
  const Seats next = OpenAll("2-b", 1);
  for (const auto& sink : old) {
    EXPECT_EQ(DeliverUnits(sink.get(), 1, {0}).code(), StatusCode::kAborted);
  }
  EXPECT_THAT(Visible(), IsEmpty());
}

TEST_F(FileSeatsTest, OtherSlotsNeverMakeTheStagingFolder) {
  const auto sink = MakeFileSink(path_);
  const Status status = sink->Open(SeatOf("1-a", 1, 2));
  EXPECT_TRUE(status.retryable()) << status;
  EXPECT_THAT(status.message(), HasSubstr("slot 0 did not create " + path_ + "/_staging/1-a"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(FileSeatsTest, WaitForSlotZeroHearsStop) {
  std::stop_source stop;
  stop.request_stop();
  const auto sink = MakeFileSink(path_, api::JsonFormat{}, "", Codec::kNone, stop.get_token());
  EXPECT_EQ(sink->Open(SeatOf("1-a", 1, 2)).code(), StatusCode::kAborted);
}

TEST_F(FileSeatsTest, SlotZeroAloneShowsCommittedBatches) {
  const Seats seats = OpenAll("1-a", 2);
  ASSERT_TRUE(DeliverUnits(seats[1].get(), 1, {1}).ok());
  ASSERT_TRUE(seats[1]->Committed(1).ok());
  EXPECT_EQ(Committed(), "{\"batch\": 0}\n");
  ASSERT_TRUE(seats[0]->Committed(1).ok());
  EXPECT_EQ(Committed(), "{\"batch\": 1}\n");
}

TEST_F(FileSeatsTest, SlotsShareTheFoldersOfAnExpression) {
  const Seats seats = OpenAll("1-a", 2, 0, "'x/' + word");
  ASSERT_TRUE(DeliverUnits(seats[0].get(), 1, {0}).ok());
  ASSERT_TRUE(DeliverUnits(seats[1].get(), 1, {1}).ok());
  EXPECT_THAT(Visible(), ElementsAre(Key("x/w/counts-s-0-1-aaaaaaaa.json"),
                                     Key("x/w/counts-s-1-1-aaaaaaaa.json")));
}

TEST_F(FileSeatsTest, SlotsStageBesideEachOther) {
  Seats seats = OpenAll("1-a", 2);
  Status other;
  {
    std::jthread thread(
        [&] { other = seats[1]->Deliver(BatchOf(1), UnitParts(100, 200), &more_rejected_); });
    EXPECT_TRUE(seats[0]->Deliver(BatchOf(1), UnitParts(0, 100), &rejected_).ok());
  }
  EXPECT_TRUE(other.ok()) << other;
  OpenAll("2-b", 2);
  EXPECT_EQ(ledger_.tasks.size(), 200u);
}

TEST_F(FileSeatsTest, BatchesThatReadersSawAreNotWrittenAgain) {
  const Seats first = OpenAll("1-a", 1);
  ASSERT_TRUE(DeliverUnits(first[0].get(), 1, {0}).ok());
  ASSERT_TRUE(first[0]->Committed(1).ok());
  std::filesystem::remove(path_ + "/counts-s-0-1-aaaaaaaa.json");  // a reader took it
  const Seats next = OpenAll("2-b", 2);                            // of a state at batch 0
  EXPECT_EQ(ledger_.batch, 1);
  ASSERT_TRUE(DeliverUnits(next[0].get(), 1, {0}).ok());
  ASSERT_TRUE(DeliverUnits(next[1].get(), 1, {1}).ok());
  EXPECT_THAT(Visible(), IsEmpty());
  EXPECT_TRUE(DeliverUnits(next[1].get(), 2, {1}).ok());
  EXPECT_THAT(Visible(), ElementsAre(Key("counts-s-1-2-aaaaaaaa.json")));
}

TEST_F(FileSeatsTest, LedgerOfTwoHistoriesIsRefused) {
  const Seats first = OpenAll("1-a", 2);
  for (const int slot : {0, 1}) {  // neither knows the other's files
    ASSERT_TRUE(first[slot]
                    ->Deliver(BatchOf(1, slot == 0 ? kDigest : kOtherDigest),
                              {WordPart("s", slot, {{"w", 1}})}, &rejected_)
                    .ok());
  }
  const auto next = MakeFileSink(path_);
  ASSERT_TRUE(next->Open(SoleSeat("2-b", 0)).ok());
  EXPECT_THAT(next->ReadLedger().status().message(), HasSubstr("StateRolledBack"));
}

}  // namespace
}  // namespace millrace::worker
