#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

struct JobMetricsOptions {
  std::string job;
  std::string ns;
  std::string version;
  Duration batch_interval{0};
  std::vector<std::string> sources;
  std::vector<std::string> sinks;
  std::vector<std::string> stages;  // by stage of the graph
  std::vector<std::string> kafka_sinks;
};

// The job's metrics in Prometheus' text format. All label sets exist from the start with 0, so that
// rate() and alerts work; those of Kafka partitions from when they are found. Listener calls come
// from the scheduler's thread; Text is thread-safe.
class JobMetrics final : public JobListener {
 public:
  JobMetrics(JobMetricsOptions options, const Clock* clock);
  ~JobMetrics() override;

  void OnBatchCommitted(const BatchInfo& info) override;
  void OnBatchFailed(int64_t batch, int attempt, const Status& status) override;
  void OnIdle(int64_t lag_records) override;
  void OnProgress(const std::string& source,
                  const std::vector<PartitionProgress>& partitions) override;
  void OnTransactions(const std::string& sink, const SinkTransactions& transactions) override;

  // The job was edited. Thread-safe.
  void SetBatchInterval(Duration interval);
  // The exposition, with current process metrics.
  std::string Text();

 private:
  struct Impl;
  const Clock* clock_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::worker
