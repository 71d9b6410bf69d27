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

TEST(BatchTimerTest, AnotherIntervalGoesOnWithItsNextMultiple) {
  for (const int64_t interval : {300, 700, 1000, 4000}) {
    const BatchTimer timer(milliseconds(interval), Missed::kReplay, Ms(10500));
    const int64_t next =
        std::chrono::duration_cast<milliseconds>(timer.Next(Ms(10500)).time_since_epoch()).count();
    EXPECT_EQ(next % interval, 0) << interval;
    EXPECT_GT(next, 10500) << interval;
    EXPECT_LE(next, 10500 + interval) << interval;
  }
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
