#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crds/base/log.h"
#include "worker/client/http_server.h"
#include "worker/metrics/job_metrics.h"
#include "worker/plan/job_plan.h"
#include "worker/runtime/status_board.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

// Passes every event on to several listeners, in order. Loop thread only; they outlive it.
class Listeners final : public JobListener {
 public:
  void Add(JobListener* listener) { listeners_.push_back(listener); }
  void OnBatchPlanned(const BatchPlan& plan) override {
    for (JobListener* listener : listeners_) listener->OnBatchPlanned(plan);
  }
  void OnBatchCommitted(const BatchInfo& info) override {
    for (JobListener* listener : listeners_) listener->OnBatchCommitted(info);
  }
  void OnBatchFailed(int64_t batch, int attempt, const Status& status) override {
    for (JobListener* listener : listeners_) listener->OnBatchFailed(batch, attempt, status);
  }
  void OnIdle(int64_t lag_records) override {
    for (JobListener* listener : listeners_) listener->OnIdle(lag_records);
  }
  void OnProgress(const std::string& source,
                  const std::vector<PartitionProgress>& partitions) override {
    for (JobListener* listener : listeners_) listener->OnProgress(source, partitions);
  }
  void OnTransactions(const std::string& sink, const SinkTransactions& transactions) override {
    for (JobListener* listener : listeners_) listener->OnTransactions(sink, transactions);
  }

 private:
  std::vector<JobListener*> listeners_;
};

LogLevel LevelOf(api::Logging::Level level);
JobMetricsOptions MetricsOptions(const api::StreamingJob& job, const JobPlan& plan);
// "HOST:PORT", ":PORT" or "PORT" as an address to serve on; `flag` is for the message.
Result<HttpServerOptions> ParseAddress(const std::string& flag, const std::string& address);
// Serves /metrics with `more_metrics` behind it, /status, /healthz and /readyz, and `more`.
// `metrics` and `board` outlive the server.
Result<std::unique_ptr<HttpServer>> ServeStatus(const HttpServerOptions& options,
                                                JobMetrics* metrics, const StatusBoard& board,
                                                std::vector<HttpRoute> more = {},
                                                std::function<std::string()> more_metrics = {});

}  // namespace millrace::worker
