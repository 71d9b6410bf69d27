#include "worker/metrics/job_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>

#include "crds/base/text.h"
#include "worker/metrics/catalogue.h"
#include "worker/metrics/worker_metrics.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

JobMetrics MakeMetrics(const Clock* clock) {
  return JobMetrics({"word-count",
                     "default",
                     "0.1.0",
                     std::chrono::seconds(1),
                     {"lines"},
                     {"out"},
                     {"lines", "counts.aggregate"},
                     {"out"}},
                    clock);
}

TEST(MetricCatalogueTest, NamesFollowThePrometheusConventions) {
  const std::regex pattern("^(millrace|process)_[a-z]+(_[a-z]+)*$");
  std::set<std::string> names;
  for (const Metric& metric : MetricCatalogue()) {
    const std::string name = metric.name;
    EXPECT_TRUE(std::regex_match(name, pattern)) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(metric.type == MetricType::kCounter, name.ends_with("_total")) << name;
    EXPECT_FALSE(std::string(metric.help).empty()) << name;
  }
}

TEST(JobMetricsTest, ExportsEveryMetricOfTheCatalogueFromTheStart) {
  const ManualClock clock(TimePoint(std::chrono::seconds(100)));
  JobMetrics metrics = MakeMetrics(&clock);
  metrics.OnProgress("lines", {{"words", 3, 40, 100}});
  const std::string text = metrics.Text();
  const std::string all = text + WorkerMetrics("default", "word-count").Text({});
  for (const Metric& metric : MetricCatalogue())
    EXPECT_THAT(all, HasSubstr("# HELP " + std::string(metric.name) + " "));
  EXPECT_THAT(text, HasSubstr("millrace_input_records_total{job=\"word-count\",namespace="
                              "\"default\",source=\"lines\"} 0"));
}

TEST(JobMetricsTest, ShowsPartitionsAndTransactionsOfKafka) {
  const ManualClock clock(TimePoint(std::chrono::seconds(100)));
  JobMetrics metrics = MakeMetrics(&clock);
  metrics.OnProgress("lines", {{"words", 3, 40, 100}});
  metrics.OnProgress("lines", {{"words", 3, 90, 100}});
  SinkTransactions transactions;
  transactions.committed = 2;
  transactions.fenced = 1;
  transactions.commit_times = {std::chrono::milliseconds(20)};
  metrics.OnTransactions("out", transactions);
  metrics.OnTransactions("no kafka sink", transactions);
  const std::string text = metrics.Text();
  const std::string labels = R"({job="word-count",namespace="default",)";
  EXPECT_THAT(text, HasSubstr("millrace_kafka_committed_offset" + labels +
                              R"(partition="3",source="lines",topic="words"} 90)"));
  EXPECT_THAT(text, HasSubstr("millrace_kafka_end_offset" + labels +
                              R"(partition="3",source="lines",topic="words"} 100)"));
  EXPECT_THAT(text, HasSubstr("millrace_kafka_lag_records" + labels +
                              R"(partition="3",source="lines",topic="words"} 10)"));
  EXPECT_THAT(
      text, HasSubstr("millrace_kafka_transactions_committed_total" + labels + R"(sink="out"} 2)"));
  EXPECT_THAT(text, HasSubstr("millrace_kafka_fenced_total" + labels + R"(sink="out"} 1)"));
  EXPECT_THAT(text, HasSubstr("millrace_kafka_transaction_commit_seconds_count" + labels +
                              R"(sink="out"} 1)"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("no kafka sink")));
}

// B79: names from outside neither break a line nor fill the scraper's memory.
TEST(JobMetricsTest, KeepsLabelsOneLineOfTextAndLimitsTheirNumber) {
  const ManualClock clock(TimePoint(std::chrono::seconds(100)));
  JobMetrics metrics(
      {"word\ncount\xff", "le", "0.1.0", std::chrono::seconds(1), {"a\"b"}, {}, {}, {}}, &clock);
  metrics.OnProgress("lines", {{"to\npic\xc3", 0, 1, 2}});
  std::vector<PartitionProgress> many;
  for (int i = 0; i < 10000; ++i) many.push_back({"wide", i, 0, 10});
  metrics.OnProgress("lines", many);
  const std::string text = metrics.Text();
  EXPECT_TRUE(IsValidUtf8(text));
  EXPECT_THAT(text, HasSubstr(R"(job="word\\ncount\\xff",namespace="le",source="a\"b"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(topic="to\\npic\\xc3"} 1)"));
  EXPECT_LT(std::ranges::count(text, '\n'), 7000);
  EXPECT_THAT(text, HasSubstr(R"(partition="1998")"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr(R"(partition="1999")")));
}

TEST(JobMetricsTest, CountsCommittedBatches) {
  const ManualClock clock(TimePoint(std::chrono::seconds(100)));
  JobMetrics metrics = MakeMetrics(&clock);
  BatchInfo info;
  info.plan.batch = 3;
  info.input_by_source["lines"] = 40;
  info.output_by_sink["out"] = 7;
  info.processing_delay = std::chrono::milliseconds(20);
  info.stages.resize(2);
  metrics.OnBatchCommitted(info);
  metrics.OnBatchFailed(4, 1, InvalidError("x"));
  const std::string text = metrics.Text();
  EXPECT_THAT(text,
              HasSubstr("millrace_batches_total{job=\"word-count\",namespace=\"default\"} 1"));
  EXPECT_THAT(
      text, HasSubstr("millrace_batch_failures_total{job=\"word-count\",namespace=\"default\"} 1"));
  EXPECT_THAT(text, HasSubstr("source=\"lines\"} 40"));
  EXPECT_THAT(text, HasSubstr("sink=\"out\"} 7"));
  EXPECT_THAT(text, HasSubstr("millrace_batch_processing_delay_seconds_sum{job=\"word-count\","
                              "namespace=\"default\"} 0.02"));
}

}  // namespace
}  // namespace millrace::worker
