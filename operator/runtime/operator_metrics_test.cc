#include "operator/runtime/operator_metrics.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace millrace::controller {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

TEST(OperatorMetricsTest, HasEverySeriesAtZeroFromTheStart) {
  OperatorMetrics metrics("https://h:6443", "lease", 4);
  const std::string text = metrics.Text({}, false);
  for (const OperatorMetric& metric : OperatorMetricCatalogue())
    EXPECT_THAT(text, HasSubstr(std::string("# TYPE ") + metric.name + " " + metric.kind));
  EXPECT_THAT(text, HasSubstr("controller_runtime_reconcile_total{controller=\"streamingjob\","
                              "result=\"error\"} 0"));
  EXPECT_THAT(text, HasSubstr("leader_election_master_status{name=\"lease\"} 0"));
}

TEST(OperatorMetricsTest, CountsPassesByResult) {
  OperatorMetrics metrics("h", "lease", 4);
  metrics.OnPass(PassOutcome::kError, milliseconds(20));
  metrics.OnPass(PassOutcome::kRequeueAfter, milliseconds(20));
  const std::string text = metrics.Text({}, true);
  EXPECT_THAT(text, HasSubstr("result=\"error\"} 1"));
  EXPECT_THAT(
      text, HasSubstr("controller_runtime_reconcile_errors_total{controller=\"streamingjob\"} 1"));
  EXPECT_THAT(
      text,
      HasSubstr("controller_runtime_reconcile_time_seconds_count{controller=\"streamingjob\"} 2"));
  EXPECT_THAT(text, HasSubstr("leader_election_master_status{name=\"lease\"} 1"));
}

TEST(OperatorMetricsTest, LabelsHaveFewValuesWhateverTheServerAnswers) {
  OperatorMetrics metrics("h", "lease", 4);
  for (int code = 0; code < 600; ++code) metrics.OnAnswer("GET", code, milliseconds(1));
  std::istringstream text(metrics.Text({}, false));
  int series = 0;
  for (std::string line; std::getline(text, line);)
    series += line.rfind("rest_client_requests_total{", 0) == 0 ? 1 : 0;
  EXPECT_LT(series, 30);
}

TEST(OperatorMetricsTest, TheDocumentationHasTheTable) {
  const char* root = std::getenv("MILLRACE_SOURCE_DIR");
  ASSERT_NE(root, nullptr);
  std::ifstream file(std::string(root) + "/docs/operator.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const OperatorMetric& metric : OperatorMetricCatalogue())
    EXPECT_THAT(text.str(), HasSubstr(std::string("| `") + metric.name + "` | " + metric.kind +
                                      " | " + metric.labels + " | " + metric.help + " |"));
}

}  // namespace
}  // namespace millrace::controller
