#include "worker/metrics/catalogue.h"

#include <algorithm>

#include "crds/base/status.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;
constexpr auto kHistogram = MetricType::kHistogram;

constexpr Metric kMetrics[] = {
    {"millrace_build_info", kGauge, "version", "Always 1; the version that runs."},
    {"millrace_batches_total", kCounter, "", "Batches that committed."},
    {"millrace_batch_failures_total", kCounter, "",
     "Attempts of batches that failed and were undone."},
    {"millrace_batch_id", kGauge, "", "Number of the last committed batch."},
    {"millrace_batch_interval_seconds", kGauge, "", "The job's batch interval."},
    {"millrace_batch_last_committed_timestamp_seconds", kGauge, "",
     "Wall-clock time of the last commit."},
    {"millrace_batch_scheduling_delay_seconds", kHistogram, "",
     "From the time a batch was due to its start."},
    {"millrace_batch_processing_delay_seconds", kHistogram, "",
     "From the start of a batch to its commit."},
    {"millrace_batch_total_delay_seconds", kHistogram, "",
     "Scheduling delay plus processing delay."},
    {"millrace_batch_commit_seconds", kHistogram, "", "Writing of deltas and the commit record."},
    {"millrace_input_records_total", kCounter, "source", "Records read in committed batches."},
    {"millrace_input_bytes_total", kCounter, "", "Undecoded bytes read in committed batches."},
    {"millrace_output_records_total", kCounter, "sink", "Rows delivered by committed batches."},
    {"millrace_late_records_total", kCounter, "",
     "Records that came after their window had closed."},
    {"millrace_expired_keys_total", kCounter, "",
     "Idle keys that the ttl of a global window dropped."},
    {"millrace_bad_records_total", kCounter, "",
     "Records that were skipped or dead-lettered: decoding or expressions failed."},
    {"millrace_rejected_records_total", kCounter, "",
     "Rows that a sink could not encode or its receiver refused."},
    {"millrace_lag_records", kGauge, "",
     "Known records that no batch has planned yet; -1 when a source cannot tell."},
    {"millrace_rate_limit_records_per_second", kGauge, "",
     "Rate that back-pressure allows; 0 before the first estimate."},
    {"millrace_watermark_timestamp_seconds", kGauge, "source",
     "Event-time watermark of the last batch; 0 before the first."},
    {"millrace_state_bytes", kGauge, "", "Committed state, encoded."},
    {"millrace_stage_seconds_total", kCounter, "stage",
     "Wall-clock time that batches spent in a stage."},
    {"millrace_stage_tasks_total", kCounter, "stage", "Tasks (stage, unit) that ran."},
    {"millrace_kafka_committed_offset", kGauge, "source, topic, partition",
     "Offset of the next record: all before it are in committed batches. The first 2,000 "
     "partitions "
     "of a job have series of their own."},
    {"millrace_kafka_end_offset", kGauge, "source, topic, partition",
     "One past the last record that may be read; the last stable offset with ReadCommitted."},
    {"millrace_kafka_lag_records", kGauge, "source, topic, partition",
     "Offsets between the committed one and the end."},
    {"millrace_kafka_transactions_committed_total", kCounter, "sink",
     "Transactions that committed."},
    {"millrace_kafka_transactions_aborted_total", kCounter, "sink",
     "Transactions that were aborted; their batch was tried again."},
    {"millrace_kafka_transactions_unknown_total", kCounter, "sink",
     "Transactions whose end brokers did not confirm; the ledger told it."},
    {"millrace_kafka_fenced_total", kCounter, "sink",
     "Transactions that brokers ended for another process or after transactionTimeout."},
    {"millrace_kafka_producers_total", kCounter, "sink",
     "Producers that were made: at the start and after failures."},
    {"millrace_kafka_transaction_commit_seconds", kHistogram, "sink",
     "From the request to commit to its confirmation, with sending what was still queued."},
    {"millrace_leader", kGauge, "", "Several workers: 1 while this one leads the job."},
    {"millrace_leader_epoch", kGauge, "",
     "Several workers: number of the leader term, as this one knows it."},
    {"millrace_elections_total", kCounter, "", "Leader terms that this worker won."},
    {"millrace_slots", kGauge, "",
     "Workers in the generation that this one has a seat in; 0 without a seat."},
    {"millrace_key_groups", kGauge, "", "Key groups whose state this worker owns."},
    {"millrace_generations_total", kCounter, "", "Generations that this worker opened as leader."},
    {"millrace_generation_open_seconds", kHistogram, "",
     "As leader: from the reason for a new generation to its opening. Nothing is committed "
     "meanwhile."},
    {"millrace_recoveries_total", kCounter, "",
     "Seats that this worker took: state loaded, sinks fenced."},
    {"millrace_recovery_failures_total", kCounter, "", "Seats that this worker could not take."},
    {"millrace_recovery_seconds", kHistogram, "", "How long taking a seat took."},
    {"millrace_recovery_bytes_total", kCounter, "", "State that was loaded for it, decoded."},
    {"millrace_commit_seconds", kHistogram, "",
     "As leader: the one call that commits a batch in Redis."},
    {"millrace_slot_batches_total", kCounter, "", "Batches that this worker has done its part of."},
    {"millrace_slot_compute_seconds", kHistogram, "",
     "This worker's tasks of a batch, with what they waited for from other workers."},
    {"millrace_slot_output_seconds", kHistogram, "",
     "This worker's output of a batch to all sinks."},
    {"millrace_blob_write_seconds", kHistogram, "",
     "From the encoding of a batch's state changes until Redis has them all."},
    {"millrace_blobs_total", kCounter, "kind", "Blobs of state written: delta or snapshot."},
    {"millrace_blob_bytes_total", kCounter, "kind", "Their bytes, as stored."},
    {"millrace_blobs_swept_total", kCounter, "",
     "Blobs deleted because nothing needs them any more."},
    {"millrace_exchange_sent_bytes_total", kCounter, "",
     "Rows sent to other workers, encoded, repetitions included."},
    {"millrace_exchange_received_bytes_total", kCounter, "",
     "Rows taken from other workers, encoded."},
    {"millrace_exchange_credit_waits_total", kCounter, "",
     "Frames that waited because their receiver had not consumed others."},
    {"millrace_exchange_credit_wait_seconds_total", kCounter, "", "How long, all together."},
    {"millrace_exchange_reconnects_total", kCounter, "",
     "Connections for rows that were lost, and made anew."},
    {"millrace_exchange_broken_streams_total", kCounter, "",
     "Workers that went away with rows for them unsent; their batch is repeated."},
    {"millrace_exchange_dropped_frames_total", kCounter, "",
     "Frames dropped: damaged, repeated, or of another process."},
    {"millrace_exchange_refused_connections_total", kCounter, "",
     "Connections of processes that do not know the job's secret."},
    {"millrace_redis_round_trips_total", kCounter, "purpose",
     "Requests to Redis, each pipeline as one per node: record, state, heartbeat, tables or "
     "query."},
    {"millrace_redis_sent_bytes_total", kCounter, "purpose", "Bytes of these requests."},
    {"process_cpu_seconds_total", kCounter, "", "User and system time of the process."},
    {"process_resident_memory_bytes", kGauge, "", "Resident memory of the process."},
    {"process_start_time_seconds", kGauge, "", "Start of the process since the epoch."},
};

const char* TypeName(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "";
}

}  // namespace

std::span<const Metric> MetricCatalogue() { return kMetrics; }

const Metric& FindMetric(const std::string& name) {
  const auto* const it = std::find_if(std::begin(kMetrics), std::end(kMetrics),
                                      [&](const Metric& metric) { return name == metric.name; });
  CHECK(it != std::end(kMetrics));
  return *it;
}

std::string LabelValue(std::string_view text) { return Excerpt(text, 249); }

std::string MetricsMarkdown() {
  std::string text = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const Metric& metric : kMetrics) {
    text += std::string("| `") + metric.name + "` | " + TypeName(metric.type) + " | " +
            metric.labels + " | " + metric.help + " |\n";
  }
  return text;
}

}  // namespace millrace::worker
