#include "worker/schedule/rate_controller.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TimePoint At(int second) { return TimePoint(seconds(second)); }

TEST(RateControllerTest, StartsAtTheInitialRatePerPartition) {
  const RateController rates({}, seconds(1));
  EXPECT_EQ(rates.MaxRecords(3), 30000);
}

TEST(RateControllerTest, TakesTheProcessingRateOfTheFirstBatch) {
  RateController rates({}, seconds(1));
  rates.Update(At(1), 1000, milliseconds(500), Duration(0));
  EXPECT_DOUBLE_EQ(*rates.rate(), 2000);
}

TEST(RateControllerTest, SlowsDownByBacklogAndSpeedsUpByError) {
  RateController rates({}, seconds(1));
  rates.Update(At(1), 1000, seconds(1), Duration(0));
  rates.Update(At(2), 1000, seconds(1), seconds(1));  // one interval behind: 0.2 * 1000 less
  EXPECT_DOUBLE_EQ(*rates.rate(), 800);
  rates.Update(At(3), 1600, seconds(1), Duration(0));
  EXPECT_DOUBLE_EQ(*rates.rate(), 1600);
}

TEST(RateControllerTest, NeverFallsBelowTheMinimum) {
  api::Backpressure config;
  config.min_rate = 100;
  RateController rates(config, seconds(1));
  rates.Update(At(1), 1, seconds(1), Duration(0));
  EXPECT_DOUBLE_EQ(*rates.rate(), 100);
}

TEST(RateControllerTest, IgnoresEmptyBatchesAndTimeThatStands) {
  RateController rates({}, seconds(1));
  rates.Update(At(1), 1000, seconds(1), Duration(0));
  rates.Update(At(2), 0, seconds(1), Duration(0));
  rates.Update(At(1), 5000, seconds(1), Duration(0));
  EXPECT_DOUBLE_EQ(*rates.rate(), 1000);
}

TEST(RateControllerTest, SetsNoLimitWhenSwitchedOff) {
  api::Backpressure config;
  config.enabled = false;
  RateController rates(config, seconds(1));
  rates.Update(At(1), 10, seconds(1), Duration(0));
  EXPECT_EQ(rates.MaxRecords(1), 0);
}

}  // namespace
}  // namespace millrace::worker
