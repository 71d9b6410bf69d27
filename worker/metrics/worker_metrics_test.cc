#include "worker/metrics/worker_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr const char* kLabels = R"({job="words",namespace="default")";

std::string Line(const std::string& name, const std::string& labels, const std::string& value) {
  return name + kLabels + labels + "} " + value + "\n";
}

TEST(WorkerMetricsTest, ExportsEveryPurposeOfRedisFromTheStart) {
  WorkerMetrics metrics("default", "words");
  const std::string text = metrics.Text({});
  for (const char* purpose : WorkerMetrics::kPurposes) {
    EXPECT_THAT(text, HasSubstr(Line("millrace_redis_round_trips_total",
                                     ",purpose=\"" + std::string(purpose) + "\"", "0")));
  }
  EXPECT_THAT(text, HasSubstr(Line("millrace_leader", "", "0")));
}

TEST(WorkerMetricsTest, FollowsCountsThatOthersKeep) {
  WorkerMetrics metrics("default", "words");
  WorkerSample sample;
  sample.leading = true;
  sample.epoch = 7;
  sample.redis["record"] = {10, 1000};
  sample.exchange.credit_wait = milliseconds(1500);
  metrics.Text(sample);
  sample.redis["record"] = {25, 4000};
  const std::string text = metrics.Text(sample);
  EXPECT_THAT(text,
              HasSubstr(Line("millrace_redis_round_trips_total", ",purpose=\"record\"", "25")));
  EXPECT_THAT(text,
              HasSubstr(Line("millrace_redis_sent_bytes_total", ",purpose=\"record\"", "4000")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_exchange_credit_wait_seconds_total", "", "1.5")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_leader_epoch", "", "7")));
}

TEST(WorkerMetricsTest, CountsBatchesAndTheirBlobs) {
  WorkerMetrics metrics("default", "words");
  SlotBatch batch;
  batch.write = milliseconds(2);
  batch.blobs = {3, 1, 300, 5000};
  metrics.OnSlotBatch(batch);
  metrics.OnSlotBatch(batch);
  const std::string text = metrics.Text({});
  EXPECT_THAT(text, HasSubstr(Line("millrace_slot_batches_total", "", "2")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_blobs_total", ",kind=\"delta\"", "6")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_blob_bytes_total", ",kind=\"snapshot\"", "10000")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_blob_write_seconds_sum", "", "0.004")));
}

TEST(WorkerMetricsTest, CountsRecoveriesWhenTheyEnd) {
  WorkerMetrics metrics("default", "words");
  TakeOverProgress progress;
  metrics.OnTakeOver(progress);
  progress.step = TakeOverProgress::Step::kFencing;
  metrics.OnTakeOver(progress);
  progress.step = TakeOverProgress::Step::kDone;
  progress.bytes = 42;
  metrics.OnTakeOver(progress);
  progress.step = TakeOverProgress::Step::kFailed;
  metrics.OnTakeOver(progress);
  const std::string text = metrics.Text({});
  EXPECT_THAT(text, HasSubstr(Line("millrace_recoveries_total", "", "1")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_recovery_bytes_total", "", "42")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_recovery_failures_total", "", "1")));
}

TEST(WorkerMetricsTest, CountsWhatALeaderDoes) {
  WorkerMetrics metrics("default", "words");
  metrics.OnElected();
  metrics.OnGenerationOpen("member lost", milliseconds(700));
  metrics.OnCommitCall(milliseconds(1));
  const std::string text = metrics.Text({});
  EXPECT_THAT(text, HasSubstr(Line("millrace_elections_total", "", "1")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_generations_total", "", "1")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_generation_open_seconds_sum", "", "0.7")));
  EXPECT_THAT(text, HasSubstr(Line("millrace_commit_seconds_count", "", "1")));
}

}  // namespace
}  // namespace millrace::worker
