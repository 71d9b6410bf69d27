#include "worker/metrics/catalogue.h"

#include <algorithm>

#include "crds/base/status.h"

namespace millrace::worker {
namespace {

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;
constexpr auto kHistogram = MetricType::kHistogram;

constexpr Metric kMetrics[] = {
    {"millrace_build_info", kGauge, "version", "Always 1; the version that runs."},
    {"millrace_batches_total", kCounter, "", "Batches that committed."},
    {"millrace_batch_failures_total", kCounter, "", "Attempts of batches that failed and were undone."},
    {"millrace_batch_id", kGauge, "", "Number of the last committed batch."},
    {"millrace_batch_interval_seconds", kGauge, "", "The job's batch interval."},
    {"millrace_batch_last_committed_timestamp_seconds", kGauge, "", "Wall-clock time of the last commit."},
    {"millrace_batch_scheduling_delay_seconds", kHistogram, "", "From the time a batch was due to its start."},
    {"millrace_batch_processing_delay_seconds", kHistogram, "", "From the start of a batch to its commit."},
    {"millrace_batch_total_delay_seconds", kHistogram, "", "Scheduling delay plus processing delay."},
    {"millrace_batch_commit_seconds", kHistogram, "", "Writing of deltas and the commit record."},
    {"millrace_input_records_total", kCounter, "source", "Records read in committed batches."},
    {"millrace_input_bytes_total", kCounter, "", "Undecoded bytes read in committed batches."},
    {"millrace_output_records_total", kCounter, "sink", "Rows delivered by committed batches."},
    {"millrace_late_records_total", kCounter, "", "Records that came after their window had closed."},
    {"millrace_expired_keys_total", kCounter, "", "Idle keys that the ttl of a global window dropped."},
    {"millrace_bad_records_total", kCounter, "", "Records that were skipped or dead-lettered: decoding or expressions failed."},
    {"millrace_rejected_records_total", kCounter, "", "Rows that a sink could not encode or its receiver refused."},
    {"millrace_lag_records", kGauge, "", "Known records that no batch has planned yet; -1 when a source cannot tell."},
    {"millrace_rate_limit_records_per_second", kGauge, "", "Rate that back-pressure allows; 0 before the first estimate."},
    {"millrace_watermark_timestamp_seconds", kGauge, "source", "Event-time watermark of the last batch; 0 before the first."},
    {"millrace_state_bytes", kGauge, "", "Committed state, encoded."},
    {"millrace_stage_seconds_total", kCounter, "stage", "Wall-clock time that batches spent in a stage."},
    {"millrace_stage_tasks_total", kCounter, "stage", "Tasks (stage, unit) that ran."},
    {"millrace_kafka_committed_offset", kGauge, "source, topic, partition", "Offset of the next record: all before it are in committed batches."},
    {"millrace_kafka_end_offset", kGauge, "source, topic, partition", "One past the last record that may be read; the last stable offset with ReadCommitted."},
    {"millrace_kafka_lag_records", kGauge, "source, topic, partition", "Offsets between the committed one and the end."},
    {"millrace_kafka_transactions_committed_total", kCounter, "sink", "Transactions that committed."},
    {"millrace_kafka_transactions_aborted_total", kCounter, "sink", "Transactions that were aborted; their batch was tried again."},
    {"millrace_kafka_transactions_unknown_total", kCounter, "sink", "Transactions whose end brokers did not confirm; the ledger told it."},
    {"millrace_kafka_fenced_total", kCounter, "sink", "Transactions that brokers ended for another process or after transactionTimeout."},
    {"millrace_kafka_producers_total", kCounter, "sink", "Producers that were made: at the start and after failures."},
    {"millrace_kafka_transaction_commit_seconds", kHistogram, "sink", "From the request to commit to its confirmation, with sending what was still queued."},
    {"process_cpu_seconds_total", kCounter, "", "User and system time of the process."},
    {"process_resident_memory_bytes", kGauge, "", "Resident memory of the process."},
    {"process_start_time_seconds", kGauge, "", "Start of the process since the epoch."},
};

const char* TypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return "counter";
    case MetricType::kGauge: return "gauge";
    case MetricType::kHistogram: return "histogram";
  }
  return "";
}

}  // namespace

std::span<const Metric> MetricCatalogue() { return kMetrics; }

const Metric& FindMetric(const std::string& name) {
  const auto* const it = std::find_if(std::begin(kMetrics), std::end(kMetrics), [&](const Metric& metric) { return name == metric.name; });
  CHECK(it != std::end(kMetrics));
  return *it;
}

std::string MetricsMarkdown() {
  std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const Metric& metric : kMetrics) {
    text += std::string("| `") + metric.name + "` | " + TypeName(metric.type) + " | " + metric.labels + " | " + metric.help + " |\n";
  }
  return text;
}

}  // namespace millrace::worker
