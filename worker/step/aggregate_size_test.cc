#include <gtest/gtest.h>

#include "worker/step/aggregate_harness.h"

// What keyed state says about its own size.
namespace millrace::worker {
namespace {

using std::chrono::seconds;

std::unique_ptr<KeyedStep> MakeCount(api::Window window) {
  api::AggregateStep spec;
  spec.key = {"user"};
  spec.window = window;
  spec.values = {{"n", "count()"}};
  api::Diagnostics diagnostics;
  return MakeAggregateStep(spec, TestEnv(&diagnostics, 4));
}

TestBatch Users(int64_t second, int count) {
  std::vector<TestRecord> records;
  for (int i = 0; i < count; ++i) {
    records.push_back({"user" + std::to_string((second * 7 + i * 3) % 40), second});
  }
  return {std::move(records)};
}

TEST(AggregateSizeTest, CountsTheSameKeysAfterRestoringSlices) {
  const auto step = MakeCount(api::SlidingWindow{seconds(10), seconds(2)});
  StepHarness kept(step.get(), Handover::kKeep);
  StepHarness snapshots(step.get(), Handover::kSnapshot);
  StepHarness deltas(step.get(), Handover::kDeltas);
  for (int64_t second = 0; second < 60; ++second) {
    const TestBatch batch = Users(second, static_cast<int>(second % 5) * 6);
    (void)kept.Run(batch, second - 3);
    (void)snapshots.Run(batch, second - 3);
    (void)deltas.Run(batch, second - 3);
    EXPECT_EQ(snapshots.keys(), kept.keys()) << second;
    EXPECT_EQ(deltas.keys(), kept.keys()) << second;
  }
  EXPECT_GT(kept.keys(), 0);
}

TEST(AggregateSizeTest, HasNothingLeftWhenAllWindowsHaveClosed) {
  const auto step = MakeCount(api::SlidingWindow{seconds(10), seconds(2)});
  StepHarness stream(step.get(), Handover::kKeep);
  for (int64_t second = 0; second < 30; ++second) (void)stream.Run(Users(second, 20), second);
  (void)stream.Run({{}}, 1000);
  EXPECT_EQ(stream.keys(), 0);
  (void)stream.Run(Users(1000, 5), 1000);
  EXPECT_EQ(stream.keys(), 5);
}

}  // namespace
}  // namespace millrace::worker
