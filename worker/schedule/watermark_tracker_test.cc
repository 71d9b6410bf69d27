#include "worker/schedule/watermark_tracker.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using std::chrono::seconds;

TimePoint T(int second) { return TimePoint(seconds(second)); }
MonotonicTime M(int second) { return MonotonicTime(seconds(second)); }

// Sources of so many partitions each; 0: a file, whose lanes hold nobody back.
WatermarkTracker Tracker(const std::vector<int>& partitions) {
  std::vector<WatermarkConfig> configs;
  for (const int count : partitions) configs.push_back({true, seconds(5), seconds(30), count > 0});
  WatermarkTracker tracker(configs);
  for (size_t i = 0; i < partitions.size(); ++i)
    tracker.KnowPartitions(static_cast<int>(i), partitions[i], M(0));
  return tracker;
}

TEST(WatermarkTrackerTest, IsTheSlowestPartitionMinusTheDelay) {
  WatermarkTracker tracker = Tracker({2});
  tracker.Observe(0, 0, T(100), M(1));
  tracker.Observe(0, 1, T(80), M(1));
  EXPECT_EQ(tracker.Next(M(1))[0], T(75));
}

TEST(WatermarkTrackerTest, NeverFalls) {
  WatermarkTracker tracker = Tracker({1});
  tracker.Observe(0, 0, T(100), M(1));
  EXPECT_EQ(tracker.Next(M(1))[0], T(95));
  tracker.Observe(0, 0, T(50), M(2));
  EXPECT_EQ(tracker.Next(M(2))[0], T(95));
}

TEST(WatermarkTrackerTest, WaitsForSilentPartitionsUntilTheyAreIdle) {
  WatermarkTracker tracker = Tracker({2});
  tracker.Observe(0, 0, T(100), M(1));
  EXPECT_EQ(tracker.Next(M(29))[0], TimePoint::min());
  tracker.Observe(0, 0, T(120), M(29));
  EXPECT_EQ(tracker.Next(M(31))[0], T(115));
}

TEST(WatermarkTrackerTest, FileLanesDoNotWaitForOthers) {
  WatermarkTracker tracker = Tracker({0});
  tracker.Observe(0, 3, T(100), M(1));
  EXPECT_EQ(tracker.Next(M(1))[0], T(95));
}

TEST(WatermarkTrackerTest, AnIdleSourceFollowsTheFurthestOther) {
  WatermarkTracker tracker = Tracker({1, 1});
  tracker.Observe(0, 0, T(10), M(1));
  tracker.Observe(1, 0, T(100), M(35));
  const std::vector<TimePoint> watermarks = tracker.Next(M(36));
  EXPECT_EQ(watermarks[0], T(95));
  EXPECT_EQ(watermarks[1], T(95));
}

TEST(WatermarkTrackerTest, ResumesFromTheCommitRecord) {
  WatermarkTracker tracker = Tracker({1});
  tracker.Resume(0, {{0, T(50)}}, T(45), M(0));
  EXPECT_EQ(tracker.Next(M(1))[0], T(45));
}

TEST(WatermarkTrackerTest, PartitionsFoundLaterHoldFromThenOn) {
  WatermarkTracker tracker = Tracker({1});
  tracker.Observe(0, 0, T(100), M(40));
  EXPECT_EQ(tracker.Next(M(40))[0], T(95));
  tracker.KnowPartitions(0, 2, M(50));
  tracker.Observe(0, 0, T(200), M(51));
  EXPECT_EQ(tracker.Next(M(51))[0], T(95));
  tracker.Observe(0, 1, T(150), M(52));
  EXPECT_EQ(tracker.Next(M(52))[0], T(145));
}

}  // namespace
}  // namespace millrace::worker
