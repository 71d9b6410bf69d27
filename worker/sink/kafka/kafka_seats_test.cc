#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/sink/kafka/kafka_sink.h"
#include "worker/sink/kafka/kafka_sink_fixture.h"

namespace millrace::worker {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using End = FakeKafka::End;

// Several sinks as the seats of generations.
class KafkaSeatsTest : public KafkaSinkFixture {
 protected:
  using Seats = std::vector<std::unique_ptr<KafkaSink>>;

  // Opens all seats of a generation and tells them what their ledger says.
  Seats OpenAll(const std::string& generation, int slots, int max_slots) {
    Seats seats;
    SinkSeat seat = SoleSeat(generation, 0);
    seat.slots = slots;
    seat.max_slots = max_slots;
    for (seat.slot = 0; seat.slot < slots; ++seat.slot) {
      seats.push_back(Make());
      const Status status = seats.back()->Open(seat);
      EXPECT_TRUE(status.ok()) << status;
    }
    const Result<SinkLedger> ledger = seats[0]->ReadLedger();
    EXPECT_TRUE(ledger.ok()) << ledger.status();
    ledger_ = ledger.value();
    for (const auto& sink : seats) sink->Skip(ledger_);
    return seats;
  }
  // The task of a batch whose unit is `unit`, with one row named after both.
  static SinkPart Task(int64_t batch, int unit) {
    return WordPart("counts", unit, {{std::to_string(batch) + "/" + std::to_string(unit), 1}});
  }
  // Every seat delivers its share of `units` tasks.
  void DeliverAll(const Seats& seats, int64_t batch, int units) {
    for (size_t slot = 0; slot < seats.size(); ++slot) {
      std::vector<SinkPart> parts;
      for (int unit = static_cast<int>(slot); unit < units;
           unit += static_cast<int>(seats.size())) {
        parts.push_back(Task(batch, unit));
      }
      const Status status = DeliverParts(seats[slot].get(), batch, parts);
      EXPECT_TRUE(status.ok()) << status;
    }
  }

  SinkLedger ledger_;
};

TEST_F(KafkaSeatsTest, NextGenerationOfAnySizeWritesEachTaskOnce) {
  for (const int slots : {1, 2, 3}) {
    kafka_ = {};
    kafka_.topics["words"];
    const Seats first = OpenAll("1-a", 2, 2);
    DeliverAll(first, 1, 6);
    ASSERT_TRUE(DeliverParts(first[1].get(), 2, {Task(2, 1), Task(2, 3)}).ok());
    // Slot 0 is gone before it delivers its tasks 0, 2 and 4, slot 1 before task 5.
    const Seats next = OpenAll("2-b", slots, std::max(slots, 2));
    EXPECT_EQ(ledger_.batch, 2);
    EXPECT_EQ(ledger_.digest, "aa");
    EXPECT_THAT(ledger_.tasks, ElementsAre(SinkTask{"counts", 1}, SinkTask{"counts", 3}));
    DeliverAll(next, 2, 6);
    DeliverAll(next, 3, 2);
    EXPECT_THAT(Keys("words"),
                UnorderedElementsAre("1/0", "1/1", "1/2", "1/3", "1/4", "1/5", "2/0", "2/1", "2/2",
                                     "2/3", "2/4", "2/5", "3/0", "3/1"))
        << slots;
  }
}

TEST_F(KafkaSeatsTest, TasksStayKnownOverGenerationsThatFailAgain) {
  const Seats first = OpenAll("1-a", 3, 3);
  ASSERT_TRUE(DeliverParts(first[2].get(), 1, {Task(1, 2)}).ok());
  const Seats second = OpenAll("2-b", 1, 3);
  const Seats third = OpenAll("3-c", 2, 3);
  ASSERT_TRUE(DeliverParts(third[0].get(), 1, {Task(1, 0)}).ok());
  const Seats fourth = OpenAll("4-d", 1, 3);
  EXPECT_THAT(ledger_.tasks, ElementsAre(SinkTask{"counts", 0}, SinkTask{"counts", 2}));
  DeliverAll(fourth, 1, 3);
  EXPECT_THAT(Keys("words"), UnorderedElementsAre("1/0", "1/1", "1/2"));
}

TEST_F(KafkaSeatsTest, RecordOfABatchRepeatsWhatOtherSlotsDelivered) {
  const Seats first = OpenAll("1-a", 2, 2);
  ASSERT_TRUE(DeliverParts(first[1].get(), 1, {Task(1, 1)}).ok());
  const Seats next = OpenAll("2-b", 1, 2);
  DeliverAll(next, 1, 2);
  const LedgerView view = FakeLedger(&kafka_).Read({}, true, {}).value();
  EXPECT_THAT(view.records.at(0).tasks, ElementsAre(SinkTask{"counts", 0}, SinkTask{"counts", 1}));
}

TEST_F(KafkaSeatsTest, EverySlotOfAnOlderGenerationIsFenced) {
  for (const int slots : {1, 2, 4}) {
    kafka_ = {};
    kafka_.topics["words"];
    const Seats old = OpenAll("1-a", 3, 3);
    const Seats next = OpenAll("2-b", slots, std::max(slots, 3));
    for (const auto& sink : old) {
      const Status status = DeliverParts(sink.get(), 1, {Task(1, 0)});
      EXPECT_EQ(status.code(), StatusCode::kAborted) << status;
      EXPECT_THAT(status.message(), HasSubstr("its ledger names generation 2-b"));
    }
    EXPECT_THAT(Keys("words"), ElementsAre());
  }
}

TEST_F(KafkaSeatsTest, SlotThatSettlesLaterSeesThatItIsFenced) {
  const Seats old = OpenAll("1-a", 3, 3);
  kafka_.ends = {End::kUnknownAborted};
  EXPECT_TRUE(DeliverParts(old[2].get(), 1, {Task(1, 2)}).retryable());
  const Seats next = OpenAll("2-b", 1, 3);
  EXPECT_EQ(DeliverParts(old[2].get(), 1, {Task(1, 2)}).code(), StatusCode::kAborted);
  DeliverAll(next, 1, 3);
  EXPECT_THAT(Keys("words"), UnorderedElementsAre("1/0", "1/1", "1/2"));
}

TEST_F(KafkaSeatsTest, OldSlotThatTakesItsIdBackMakesTheNewGenerationFail) {
  const Seats old = OpenAll("1-a", 2, 2);
  kafka_.ends = {End::kUnknownAborted};
  EXPECT_TRUE(DeliverParts(old[1].get(), 1, {Task(1, 1)}).retryable());
  SinkSeat seat = SoleSeat("2-b", 0);
  seat.max_slots = 2;
  // Between the fence of id 1 and the record of it.
  kafka_.on_start = [&](const std::string& id) {
    if (id != "job.out.0") return;
    kafka_.on_start = nullptr;
    EXPECT_TRUE(DeliverParts(old[1].get(), 1, {Task(1, 1)}).ok());
  };
  const auto next = Make();
  EXPECT_EQ(next->Open(seat).code(), StatusCode::kAborted);
  const auto again = OpenAll("3-c", 1, 2);
  EXPECT_THAT(ledger_.tasks, ElementsAre(SinkTask{"counts", 1}));
}

TEST_F(KafkaSeatsTest, FencesItsShareOfAllSlotsThatEverWere) {
  const Seats first = OpenAll("1-a", 5, 5);
  kafka_.epochs.clear();
  const Seats next = OpenAll("2-b", 2, 5);
  EXPECT_THAT(kafka_.epochs, ElementsAre(Key("job.out.0"), Key("job.out.1"), Key("job.out.2"),
                                         Key("job.out.3"), Key("job.out.4")));
  for (const auto& [id, epoch] : kafka_.epochs) EXPECT_EQ(epoch, 1) << id;
}

TEST_F(KafkaSeatsTest, SlotZeroNotesHowManySlotsThereWere) {
  OpenAll("1-a", 1, 1);
  EXPECT_THAT(Keys("ledger"), Not(Contains("slots"))) << "one is what a ledger without it means";
  EXPECT_EQ(ledger_.slots, 1);
  OpenAll("2-b", 3, 3);
  EXPECT_EQ(ledger_.slots, 3);
  OpenAll("3-c", 2, 3);
  EXPECT_EQ(ledger_.slots, 3);
  EXPECT_THAT(Keys("ledger"), Contains("slots").Times(1)) << "written when it grew, not again";
}

TEST_F(KafkaSeatsTest, BatchesBelowTheSkippedOneAreThere) {
  const Seats first = OpenAll("1-a", 1, 1);
  DeliverAll(first, 1, 1);
  DeliverAll(first, 2, 1);
  const Seats next = OpenAll("2-b", 1, 1);  // of a state that is at batch 0
  DeliverAll(next, 1, 1);
  DeliverAll(next, 2, 1);
  DeliverAll(next, 3, 1);
  EXPECT_THAT(Keys("words"), ElementsAre("1/0", "2/0", "3/0"));
}

TEST_F(KafkaSeatsTest, SkippedBatchOfAnotherHistoryIsRefused) {
  const Seats first = OpenAll("1-a", 2, 2);
  ASSERT_TRUE(DeliverParts(first[1].get(), 1, {Task(1, 1)}, "aa").ok());
  const Seats next = OpenAll("2-b", 2, 2);
  const Status status = DeliverParts(next[0].get(), 1, {Task(1, 0)}, "bb");
  EXPECT_THAT(status.message(), AllOf(HasSubstr("StateRolledBack"), HasSubstr("digest aa")));
}

TEST_F(KafkaSeatsTest, NoSlotBeginsALedgerThatIsGone) {
  SinkSeat seat = SoleSeat("2-b", 7);
  seat.slots = seat.max_slots = 2;
  for (seat.slot = 0; seat.slot < 2; ++seat.slot) {
    const auto sink = Make();
    sink->ExpectHistory();
    EXPECT_THAT(sink->Open(seat).message(), HasSubstr("StateLost"));
  }
  EXPECT_EQ(kafka_.commits, 0);
}

TEST_F(KafkaSeatsTest, NewSlotNeedsNoHistoryOfItsOwn) {
  OpenAll("1-a", 1, 1);
  EXPECT_TRUE(ledger_.missing) << "the first generation finds nothing older";
  SinkSeat seat = SoleSeat("2-b", 7);
  seat.slots = seat.max_slots = 2;
  for (seat.slot = 0; seat.slot < 2; ++seat.slot) {
    const auto sink = Make();
    sink->ExpectHistory();
    const Status status = sink->Open(seat);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_FALSE(sink->ReadLedger()->missing);
    EXPECT_EQ(sink->ReadLedger()->fence, 2);
  }
}

TEST_F(KafkaSeatsTest, NewSlotThatOpensTwiceStillKnowsTheHistoryOfOthers) {
  OpenAll("1-a", 1, 1);
  SinkSeat seat = SoleSeat("2-b", 7);
  seat.slot = 1;
  seat.slots = seat.max_slots = 2;
  const auto sink = Make();
  sink->ExpectHistory();
  EXPECT_TRUE(sink->Open(seat).ok());
  EXPECT_TRUE(sink->Open(seat).ok());
}

}  // namespace
}  // namespace millrace::worker
