#include "operator/controller/worker_progress.h"

#include <gtest/gtest.h>

namespace millrace::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart(seconds(1'717'200'000));

// Batches of one second each up to the second `last`, `records` and `busy` in each.
WorkerAnswer Answer(int64_t last, int64_t count, int64_t records, milliseconds busy, int64_t lag) {
  WorkerAnswer answer;
  answer.committed_batch = last;
  answer.lag_records = lag;
  for (int64_t i = last; i > last - count; --i)
    answer.batches.push_back({.number = i,
                              .time = kStart + seconds(i),
                              .input_records = records,
                              .processing = busy,
                              .compute = busy});
  return answer;
}

TEST(WorkerProgressTest, ReadsWhatAWorkerSays) {
  const auto answer = ReadWorkerAnswer(
      R"({"phase":"running","committedBatch":9,"lagRecords":4,"batches":[{"batch":9,)"
      R"("batchTime":"2024-06-01T00:00:09Z","inputRecords":7,"processingDelayMs":1.5,)"
      R"("sources":[{"ranges":[{},{}]},{"ranges":[{}]}]}],)"
      R"("errors":[{"time":"2024-06-01T00:00:01Z","error":"x"}],)"
      R"("worker":{"leading":true,"epoch":3}})");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->committed_batch, 9);
  EXPECT_EQ(answer->partitions, 3);
  EXPECT_EQ(answer->batches[0].processing, std::chrono::microseconds(1500));
  EXPECT_EQ(answer->failures[0].message, "x");
  EXPECT_TRUE(answer->leading && answer->halt.empty() && !answer->completed);
}

TEST(WorkerProgressTest, TellsTheEndOfAJobFromItsHalt) {
  EXPECT_TRUE(ReadWorkerAnswer(R"({"phase":"completed"})")->completed);
  EXPECT_EQ(ReadWorkerAnswer(R"({"phase":"invalid: no topic"})")->halt, "invalid: no topic");
  EXPECT_FALSE(ReadWorkerAnswer("<html>").ok());
  EXPECT_FALSE(ReadWorkerAnswer("{}").ok());
}

TEST(WorkerProgressTest, TheLeaderOfTheHighestEpochSpeaksForTheJob) {
  const WorkerAnswer old{.leading = true, .epoch = 1, .committed_batch = 50};
  const WorkerAnswer leader{.leading = true, .epoch = 2, .committed_batch = 40};
  const WorkerAnswer follower{.committed_batch = 60};
  EXPECT_EQ(ForJob({old, leader, follower})->committed_batch, 40);
  EXPECT_EQ(ForJob({follower, {.committed_batch = 3}})->committed_batch, 60);
  EXPECT_FALSE(ForJob({}).has_value());
}

TEST(WorkerProgressTest, AJobWithNothingToReadDoesNotStall) {
  ProgressTracker tracker;
  tracker.Take(Answer(5, 2, 1, milliseconds(1), 0), 0, kStart);
  tracker.Take(Answer(5, 2, 1, milliseconds(1), 0), 0, kStart + seconds(60));
  EXPECT_EQ(tracker.report()->last_commit, kStart + seconds(60));
  tracker.Take(Answer(5, 2, 1, milliseconds(1), 7), 0, kStart + seconds(90));
  EXPECT_EQ(tracker.report()->last_commit, kStart + seconds(60)) << "now there is something";
}

TEST(WorkerProgressTest, MeasuresRatesOverWindowsOfHalfAMinute) {
  ProgressTracker tracker;
  tracker.Take(Answer(61, 61, 100, milliseconds(250), 0), 0, kStart);
  ASSERT_TRUE(tracker.load().has_value());
  EXPECT_DOUBLE_EQ(tracker.load()->processed_rate, 100);
  EXPECT_DOUBLE_EQ(tracker.load()->busy, 0.25);
  tracker.Take(Answer(80, 60, 100, milliseconds(250), 500), 0, kStart);
  EXPECT_EQ(tracker.load()->end, kStart + seconds(61)) << "19 s are too few";
  tracker.Take(Answer(111, 60, 100, milliseconds(500), 1000), 2, kStart);
  EXPECT_DOUBLE_EQ(tracker.load()->arrival_rate, 100 + 1000.0 / 50) << "what was read and the lag";
  EXPECT_EQ(tracker.load()->unschedulable, 2);
}

TEST(WorkerProgressTest, KnowsNothingWhenNobodyAnswersForAWhile) {
  ProgressTracker tracker;
  EXPECT_FALSE(tracker.asked());
  tracker.Take(Answer(61, 61, 100, milliseconds(250), 0), 0, kStart);
  tracker.Take(std::nullopt, 0, kStart + seconds(10));
  EXPECT_TRUE(tracker.asked() && tracker.report().has_value());
  EXPECT_FALSE(tracker.load().has_value()) << "decisions need fresh measures";
  tracker.Take(std::nullopt, 0, kStart + ProgressTracker::kPatience);
  EXPECT_FALSE(tracker.report().has_value());
}

}  // namespace
}  // namespace millrace::controller
