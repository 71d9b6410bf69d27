#include "worker/runtime/status_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/runtime/exit_code.h"
#include "worker/runtime/status_line.h"

namespace millrace::worker {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(StatusBoardTest, IsReadyAfterTheFirstTickAndUnhealthyWhenNothingHappens) {
  ManualClock clock(TimePoint(seconds(1000)));
  StatusBoard board("job", seconds(1), seconds(120), &clock);
  EXPECT_FALSE(board.Ready());
  board.OnIdle(0);
  EXPECT_TRUE(board.Ready());
  EXPECT_TRUE(board.Healthy());
  clock.Advance(seconds(121));
  EXPECT_FALSE(board.Healthy());
}

TEST(StatusBoardTest, ShowsRangesDelaysAndErrors) {
  ManualClock clock(TimePoint(seconds(1000)));
  StatusBoard board("job", seconds(1), seconds(120), &clock);
  BatchInfo info;
  info.plan.batch = 7;
  info.plan.sources = {{"lines", "", TimePoint(seconds(5)), {{2, "a", "b", "", 10}}}};
  info.processing_delay = std::chrono::milliseconds(12);
  board.OnBatchCommitted(info);
  board.OnBatchFailed(8, 1, InvalidError("bad \"row\""));
  const std::string json = board.Json();
  EXPECT_THAT(json, HasSubstr(R"("committedBatch":7)"));
  EXPECT_THAT(json, HasSubstr(R"({"partition":2,"from":"a","to":"b"})"));
  EXPECT_THAT(json, HasSubstr(R"("processingDelayMs":12)"));
  EXPECT_THAT(json, HasSubstr(R"("error":"invalid: bad \"row\"")"));
}

TEST(StatusBoardTest, KeepsTheLastHundredBatches) {
  ManualClock clock(TimePoint(seconds(1000)));
  StatusBoard board("job", seconds(1), seconds(120), &clock);
  for (int64_t batch = 1; batch <= 150; ++batch) {
    BatchInfo info;
    info.plan.batch = batch;
    board.OnBatchCommitted(info);
  }
  EXPECT_THAT(board.Json(), HasSubstr(R"("batch":51,)"));
  EXPECT_THAT(board.Json(), ::testing::Not(HasSubstr(R"("batch":50,)")));
}

TEST(StatusLineTest, WritesThreeDigitsWithAUnit) {
  EXPECT_EQ(ShortCount(0), "0");
  EXPECT_EQ(ShortCount(999), "999");
  EXPECT_EQ(ShortCount(12345), "12.3k");
  EXPECT_EQ(ShortCount(4560000), "4.6M");
  EXPECT_EQ(ShortBytes(512), "512 B");
  EXPECT_EQ(ShortBytes(3 << 20), "3 MiB");
}

TEST(ExitCodeTest, TellsFencedAndMissingApart) {
  EXPECT_EQ(ExitCodeOf(OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(InvalidError("x")), 1);
  EXPECT_EQ(ExitCodeOf(AbortedError("x")), 3);
  EXPECT_EQ(ExitCodeOf(NotFoundError("x")), 4);
  EXPECT_EQ(ExitCodeOf(DeadlineError("x")), 5);
}

TEST(StatusBoardTest, AFollowerThatKnowsHowFarTheJobIsIsReadyAndHealthy) {
  ManualClock clock(TimePoint(std::chrono::seconds(0)));
  StatusBoard board("job", std::chrono::seconds(1), std::chrono::seconds(60), &clock);
  EXPECT_FALSE(board.Ready());
  clock.Advance(std::chrono::seconds(61));
  EXPECT_FALSE(board.Healthy());
  board.OnFollow(17);
  EXPECT_TRUE(board.Ready());
  EXPECT_TRUE(board.Healthy());
  EXPECT_THAT(board.Json(), ::testing::HasSubstr("\"committedBatch\":17"));
}

TEST(StatusBoardTest, ShowsSectionsAsTheyAreWhenAsked) {
  const ManualClock clock(TimePoint(std::chrono::seconds(0)));
  StatusBoard board("job", std::chrono::seconds(1), std::chrono::seconds(60), &clock);
  int asked = 0;
  board.AddSection("worker", [&] { return "{\"asked\":" + std::to_string(++asked) + "}"; });
  EXPECT_THAT(board.Json(), ::testing::HasSubstr("\"worker\":{\"asked\":1}"));
  EXPECT_THAT(board.Json(), ::testing::HasSubstr("\"worker\":{\"asked\":2}"));
}

}  // namespace
}  // namespace millrace::worker
