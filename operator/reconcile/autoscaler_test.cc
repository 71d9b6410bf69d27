#include "operator/reconcile/autoscaler.h"

#include <gtest/gtest.h>

namespace millrace::controller {
namespace {

using std::chrono::minutes;

api::Autoscaling Settings() {
  api::Autoscaling scaling;
  scaling.mode = api::Autoscaling::Mode::kInternal;
  scaling.max_workers = 20;
  return scaling;
}

LoadWindow Load(int minute, double arrival, double busy) {
  return {.end = TimePoint(minutes(minute)),
          .arrival_rate = arrival,
          .processed_rate = arrival,
          .busy = busy};
}

// Two workers of 1000 records/s each, 70 % wanted: 2800/s need four.
TEST(AutoscalerTest, GoesUpWhenTwoWindowsAgree) {
  const ScalingRecord one = Scale(Settings(), {}, 2, Load(1, 2800, 1.4));
  EXPECT_FALSE(one.reason.starts_with("up"));
  EXPECT_EQ(one.workers, 2);
  EXPECT_EQ(Scale(Settings(), one, 2, Load(2, 2800, 1.4)).workers, 4);
}

TEST(AutoscalerTest, AWindowSeenTwiceChangesNothing) {
  const ScalingRecord one = Scale(Settings(), {}, 2, Load(1, 2800, 1.4));
  EXPECT_EQ(Scale(Settings(), one, 2, Load(1, 2800, 1.4)), one);
}

TEST(AutoscalerTest, GoesDownOnlyAfterTheDelayAndToItsPeak) {
  ScalingRecord record;
  record.workers = 10;
  int64_t lowest = 10;
  for (int minute = 0; minute < 9; ++minute) {
    record = Scale(Settings(), record, 10,
                   Load(minute, minute == 5 ? 2800 : 700, 0.07 * (minute == 5 ? 4 : 1)));
    lowest = std::min(lowest, *record.workers);
  }
  EXPECT_EQ(lowest, 10);
  record = Scale(Settings(), record, 10, Load(10, 700, 0.07));
  EXPECT_EQ(record.workers, 4);
}

struct HoldCase {
  const char* name;
  void (*change)(LoadWindow&);
};

TEST(AutoscalerTest, HoldsWhereMoreWorkersWouldNotHelp) {
  const HoldCase cases[] = {{"failed batches", [](LoadWindow& w) { w.failed_batches = 1; }},
                            {"slow sink", [](LoadWindow& w) { w.slow_sink = true; }},
                            {"no node", [](LoadWindow& w) { w.unschedulable = 1; }}};
  for (const HoldCase& c : cases) {
    ScalingRecord record;
    for (int minute = 1; minute <= 4; ++minute) {
      LoadWindow load = Load(minute, 9000, 1);
      c.change(load);
      record = Scale(Settings(), record, 2, load);
    }
    EXPECT_EQ(record.workers, 2) << c.name << ": " << record.reason;
  }
}

TEST(AutoscalerTest, WithoutMetricsItHoldsOrTakesAllAsAsked) {
  api::Autoscaling scaling = Settings();
  EXPECT_EQ(Scale(scaling, {}, 3, std::nullopt).workers, 3);
  scaling.on_metric_loss = api::Autoscaling::OnMetricLoss::kMax;
  EXPECT_EQ(Scale(scaling, {}, 3, std::nullopt).workers, 20);
}

TEST(AutoscalerTest, ADryRunOnlySays) {
  api::Autoscaling scaling = Settings();
  scaling.dry_run = true;
  const ScalingRecord one = Scale(scaling, {}, 2, Load(1, 9000, 1));
  const ScalingRecord two = Scale(scaling, one, 2, Load(2, 9000, 1));
  EXPECT_EQ(two.workers, std::nullopt);
  EXPECT_EQ(two.reason, "dry run: up");
}

TEST(AutoscalerTest, AFullStallIsNoReasonToGoDown) {
  ScalingRecord record;
  for (int minute = 0; minute < 30; ++minute) {
    LoadWindow load = Load(minute, 0, 0);
    load.lag_records = 5000;
    record = Scale(Settings(), record, 6, load);
  }
  EXPECT_EQ(record.workers, 6);
}

TEST(AutoscalerTest, TakesACountThatSharesThePartitionsOut) {
  LoadWindow load = Load(1, 5000, 1);  // 1000/s each: eight are needed
  load.partitions = 12;
  ScalingRecord record = Scale(Settings(), {}, 5, load);
  load.end += minutes(1);
  record = Scale(Settings(), record, 5, load);
  EXPECT_EQ(record.workers, 12);  // with eight one still reads two partitions, as with six
}

}  // namespace
}  // namespace millrace::controller
