#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/redis/redis_fixture.h"
#include "worker/sink/redis/redis_sink.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ProgramRef Compile(const std::string& text) {
  std::vector<ExprError> errors;
  return Program::Compile(text, {*WordSchema(), {}}, &errors).value();
}

// Several sinks as the seats of generations. Every row is pushed to one list, in which a row that
// is written twice stands twice.
class RedisSeatsTest : public RedisTest {
 protected:
  using Seats = std::vector<std::unique_ptr<RedisSink>>;

  std::unique_ptr<RedisSink> Make(const RedisServer& server, Clock* clock) {
    RedisSinkOptions options;
    options.job_id = "job";
    options.name = "out";
    options.clock = clock;
    RedisExpressions expressions;
    expressions.key = Compile("'rows'");
    expressions.value = Compile("word");
    RedisRowBuilder builder(api::RedisSink::Type::kList, expressions,
                            Projection(*WordSchema(), std::nullopt), nullptr);
    return std::make_unique<RedisSink>(options, std::move(builder), Client(server));
  }
  Seats OpenAll(const RedisServer& server, const std::string& generation, int slots) {
    Seats seats;
    SinkSeat seat = SoleSeat(generation, 0);
    seat.slots = seat.max_slots = slots;
    for (seat.slot = 0; seat.slot < slots; ++seat.slot) {
      seats.push_back(Make(server, &clock_));
      const Status status = seats.back()->Open(seat);
      EXPECT_TRUE(status.ok()) << status;
    }
    const Result<SinkLedger> ledger = seats.back()->ReadLedger();
    EXPECT_TRUE(ledger.ok()) << ledger.status();
    for (const auto& sink : seats) sink->Skip(*ledger);
    ledger_ = *ledger;
    return seats;
  }
  // Tasks with one row each, "<batch>/<unit>".
  Status DeliverUnits(RedisSink* sink, int64_t batch, const std::vector<int>& units) {
    std::vector<SinkPart> parts;
    for (const int unit : units) {
      parts.push_back(
          WordPart("s", unit, {{std::to_string(batch) + "/" + std::to_string(unit), 1}}));
    }
    std::vector<RejectedRow> rejected;
    return sink->Deliver({batch, TimePoint(), "g", "aa"}, parts, &rejected);
  }
  std::vector<std::string> Rows(const RedisServer& server) {
    std::vector<std::string> rows;
    const auto client = Client(server);
    const Result<RedisReply> reply = Run(client.get(), {"LRANGE", "rows", "0", "-1"});
    EXPECT_TRUE(reply.ok()) << reply.status();
    for (const RedisReply& item : reply->items) rows.push_back(item.text);
    return rows;
  }

  SinkLedger ledger_;
};

TEST_F(RedisSeatsTest, NextGenerationOfAnySizeWritesEachTaskOnce) {
  for (const int slots : {1, 3}) {
    const RedisServer server;
    const Seats first = OpenAll(server, "1-a", 2);
    EXPECT_TRUE(ledger_.missing);
    ASSERT_TRUE(DeliverUnits(first[0].get(), 1, {0}).ok());
    ASSERT_TRUE(DeliverUnits(first[1].get(), 1, {1}).ok());
    ASSERT_TRUE(DeliverUnits(first[1].get(), 2, {1}).ok());
    const Seats next = OpenAll(server, "2-b", slots);
    EXPECT_FALSE(ledger_.missing);
    EXPECT_EQ(ledger_.batch, 2);
    EXPECT_EQ(ledger_.fence, 2);
    EXPECT_THAT(ledger_.tasks, ElementsAre(SinkTask{"s", 1}));
    ASSERT_TRUE(DeliverUnits(next.front().get(), 1, {0, 1}).ok()) << "of a state at batch 0";
    ASSERT_TRUE(DeliverUnits(next.back().get(), 2, {1, 2}).ok());
    ASSERT_TRUE(DeliverUnits(next.front().get(), 2, {0}).ok());
    EXPECT_THAT(Rows(server), ElementsAre("1/0", "1/1", "2/1", "2/2", "2/0"));
  }
}

TEST_F(RedisSeatsTest, EverySlotOfAnOlderGenerationIsFenced) {
  const RedisServer server;
  const Seats old = OpenAll(server, "1-a", 3);
  const Seats next = OpenAll(server, "2-b", 1);
  for (const auto& sink : old) {
    EXPECT_EQ(DeliverUnits(sink.get(), 1, {0}).code(), StatusCode::kAborted);
  }
  EXPECT_THAT(Rows(server), ElementsAre());
}

TEST_F(RedisSeatsTest, OtherSlotsWaitForSlotZeroAndTakeNoFence) {
  const RedisServer server;
  ManualClock clock{TimePoint()};
  SinkSeat seat = SoleSeat("1-a", 0);
  seat.slot = 1;
  seat.slots = seat.max_slots = 2;
  const auto sink = Make(server, &clock);
  const Status late = sink->Open(seat);
  EXPECT_TRUE(late.retryable()) << late;
  EXPECT_THAT(late.message(), HasSubstr("slot 0 did not open the Redis sink out"));
  EXPECT_EQ(sink->ReadLedger()->fence, 0);
  OpenAll(server, "2-b", 1);
  EXPECT_EQ(sink->Open(seat).code(), StatusCode::kAborted);
}

}  // namespace
}  // namespace millrace::worker
