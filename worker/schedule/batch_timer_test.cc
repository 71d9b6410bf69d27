#include "worker/schedule/batch_timer.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Missed = api::StreamingJobSpec::MissedBatches;

TimePoint Ms(int64_t ms) { return TimePoint(milliseconds(ms)); }

TEST(BatchTimerTest, StartsAtOnceWithTheLatestTick) {
  const BatchTimer timer(seconds(1), Missed::kReplay, TimePoint::min());
  EXPECT_EQ(timer.Next(Ms(10700)), Ms(10000));
  EXPECT_EQ(timer.UntilDue(Ms(10700)), Duration(0));
}

TEST(BatchTimerTest, ReplaysMissedTicksOneByOne) {
  BatchTimer timer(seconds(1), Missed::kReplay, Ms(10000));
  EXPECT_EQ(timer.Next(Ms(15200)), Ms(11000));
  timer.Ran(Ms(11000));
  EXPECT_EQ(timer.Next(Ms(15200)), Ms(12000));
}

TEST(BatchTimerTest, CoalescesMissedTicksWhenAsked) {
  const BatchTimer timer(seconds(1), Missed::kCoalesce, Ms(10000));
  EXPECT_EQ(timer.Next(Ms(15200)), Ms(15000));
}

TEST(BatchTimerTest, SkipsTicksWithNothingToActOn) {
  BatchTimer timer(seconds(1), Missed::kReplay, Ms(10000));
  timer.SkipTo(Ms(15200));
  EXPECT_EQ(timer.Next(Ms(15200)), Ms(15000));
}

TEST(BatchTimerTest, GoesOnWhenTheWallClockGoesBack) {
  const BatchTimer timer(seconds(1), Missed::kReplay, Ms(10000));
  EXPECT_EQ(timer.Next(Ms(2000)), Ms(11000));
  EXPECT_EQ(timer.UntilDue(Ms(2000)), seconds(1));
}

}  // namespace
}  // namespace millrace::worker
