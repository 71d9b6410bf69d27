#include "worker/schedule/watermark_tracker.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using std::chrono::seconds;

TimePoint T(int second) { return TimePoint(seconds(second)); }
MonotonicTime M(int second) { return MonotonicTime(seconds(second)); }
WatermarkConfig Config(int known) { return {true, seconds(5), seconds(30), known}; }

TEST(WatermarkTrackerTest, IsTheSlowestPartitionMinusTheDelay) {
  WatermarkTracker tracker({Config(2)}, M(0));
  tracker.Observe(0, 0, T(100), M(1));
  tracker.Observe(0, 1, T(80), M(1));
  EXPECT_EQ(tracker.Next(M(1))[0], T(75));
}

TEST(WatermarkTrackerTest, NeverFalls) {
  WatermarkTracker tracker({Config(1)}, M(0));
  tracker.Observe(0, 0, T(100), M(1));
  EXPECT_EQ(tracker.Next(M(1))[0], T(95));
  tracker.Observe(0, 0, T(50), M(2));
  EXPECT_EQ(tracker.Next(M(2))[0], T(95));
}

TEST(WatermarkTrackerTest, WaitsForSilentPartitionsUntilTheyAreIdle) {
  WatermarkTracker tracker({Config(2)}, M(0));
  tracker.Observe(0, 0, T(100), M(1));
  EXPECT_EQ(tracker.Next(M(29))[0], TimePoint::min());
  tracker.Observe(0, 0, T(120), M(29));
  EXPECT_EQ(tracker.Next(M(31))[0], T(115));
}

TEST(WatermarkTrackerTest, FileLanesDoNotWaitForOthers) {
  WatermarkTracker tracker({Config(0)}, M(0));
  tracker.Observe(0, 3, T(100), M(1));
  EXPECT_EQ(tracker.Next(M(1))[0], T(95));
}

TEST(WatermarkTrackerTest, AnIdleSourceFollowsTheFurthestOther) {
  WatermarkTracker tracker({Config(1), Config(1)}, M(0));
  tracker.Observe(0, 0, T(10), M(1));
  tracker.Observe(1, 0, T(100), M(35));
  const std::vector<TimePoint> watermarks = tracker.Next(M(36));
  EXPECT_EQ(watermarks[0], T(95));
  EXPECT_EQ(watermarks[1], T(95));
}

TEST(WatermarkTrackerTest, ResumesFromTheCommitRecord) {
  WatermarkTracker tracker({Config(1)}, M(0));
  tracker.Resume(0, {{0, T(50)}}, T(45), M(0));
  EXPECT_EQ(tracker.Next(M(1))[0], T(45));
}

}  // namespace
}  // namespace millrace::worker
