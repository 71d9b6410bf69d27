#include "worker/metrics/worker_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

#include "worker/metrics/catalogue.h"

namespace millrace::worker {
namespace {

using Labels = std::map<std::string, std::string>;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Half a millisecond to a minute: from a script call to a recovery.
prometheus::Histogram::BucketBoundaries Buckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

}  // namespace

struct WorkerMetrics::Impl {
  explicit Impl(Labels constant) : labels(std::move(constant)) {}

  prometheus::Counter* Counter(const std::string& name, const Labels& own = {}) {
    return &prometheus::BuildCounter()
                .Name(name)
                .Help(FindMetric(name).help)
                .Labels(labels)
                .Register(registry)
                .Add(own);
  }
  prometheus::Gauge* Gauge(const std::string& name) {
    return &prometheus::BuildGauge()
                .Name(name)
                .Help(FindMetric(name).help)
                .Labels(labels)
                .Register(registry)
                .Add({});
  }
  prometheus::Histogram* Histogram(const std::string& name) {
    return &prometheus::BuildHistogram()
                .Name(name)
                .Help(FindMetric(name).help)
                .Labels(labels)
                .Register(registry)
                .Add(Labels{}, Buckets());
  }

  Labels labels;
  prometheus::Registry registry;
  std::mutex scrape;  // one Text at a time

  prometheus::Gauge* leader = Gauge("millrace_leader");
  prometheus::Gauge* epoch = Gauge("millrace_leader_epoch");
  prometheus::Counter* elections = Counter("millrace_elections_total");
  prometheus::Gauge* slots = Gauge("millrace_slots");
  prometheus::Gauge* key_groups = Gauge("millrace_key_groups");
  prometheus::Counter* generations = Counter("millrace_generations_total");
  prometheus::Histogram* generation_open = Histogram("millrace_generation_open_seconds");
  prometheus::Counter* recoveries = Counter("millrace_recoveries_total");
  prometheus::Counter* recovery_failures = Counter("millrace_recovery_failures_total");
  prometheus::Histogram* recovery = Histogram("millrace_recovery_seconds");
  prometheus::Counter* recovery_bytes = Counter("millrace_recovery_bytes_total");
  prometheus::Histogram* commit = Histogram("millrace_commit_seconds");
  prometheus::Counter* slot_batches = Counter("millrace_slot_batches_total");
  prometheus::Histogram* slot_compute = Histogram("millrace_slot_compute_seconds");
  prometheus::Histogram* slot_output = Histogram("millrace_slot_output_seconds");
  prometheus::Histogram* blob_write = Histogram("millrace_blob_write_seconds");
  prometheus::Counter* deltas = Counter("millrace_blobs_total", {{"kind", "delta"}});
  prometheus::Counter* snapshots = Counter("millrace_blobs_total", {{"kind", "snapshot"}});
  prometheus::Counter* delta_bytes = Counter("millrace_blob_bytes_total", {{"kind", "delta"}});
  prometheus::Counter* snapshot_bytes =
      Counter("millrace_blob_bytes_total", {{"kind", "snapshot"}});
  prometheus::Counter* swept = Counter("millrace_blobs_swept_total");
  prometheus::Counter* sent_bytes = Counter("millrace_exchange_sent_bytes_total");
  prometheus::Counter* received_bytes = Counter("millrace_exchange_received_bytes_total");
  prometheus::Counter* credit_waits = Counter("millrace_exchange_credit_waits_total");
  prometheus::Counter* credit_seconds = Counter("millrace_exchange_credit_wait_seconds_total");
  prometheus::Counter* reconnects = Counter("millrace_exchange_reconnects_total");
  prometheus::Counter* broken_streams = Counter("millrace_exchange_broken_streams_total");
  prometheus::Counter* dropped_frames = Counter("millrace_exchange_dropped_frames_total");
  prometheus::Counter* refused = Counter("millrace_exchange_refused_connections_total");
  struct Redis {
    prometheus::Counter* round_trips;
    prometheus::Counter* sent_bytes;
  };
  std::map<std::string, Redis> redis;  // by purpose
};

namespace {

// Brings a counter up to what somebody else counted.
void Raise(prometheus::Counter* counter, double to) { counter->Increment(to - counter->Value()); }
void Raise(prometheus::Counter* counter, int64_t to) { Raise(counter, static_cast<double>(to)); }

}  // namespace

WorkerMetrics::WorkerMetrics(const std::string& ns, const std::string& job)
    : impl_(
          std::make_unique<Impl>(Labels{{"namespace", LabelValue(ns)}, {"job", LabelValue(job)}})) {
  for (const char* purpose : kPurposes) {
    const Labels label{{"purpose", purpose}};
    impl_->redis[purpose] = {impl_->Counter("millrace_redis_round_trips_total", label),
                             impl_->Counter("millrace_redis_sent_bytes_total", label)};
  }
}

WorkerMetrics::~WorkerMetrics() = default;

void WorkerMetrics::OnSlotBatch(const SlotBatch& batch) {
  impl_->slot_batches->Increment();
  impl_->slot_compute->Observe(Seconds(batch.compute));
  impl_->slot_output->Observe(Seconds(batch.output));
  impl_->blob_write->Observe(Seconds(batch.write));
  impl_->deltas->Increment(static_cast<double>(batch.blobs.deltas));
  impl_->snapshots->Increment(static_cast<double>(batch.blobs.snapshots));
  impl_->delta_bytes->Increment(static_cast<double>(batch.blobs.delta_bytes));
  impl_->snapshot_bytes->Increment(static_cast<double>(batch.blobs.snapshot_bytes));
}

void WorkerMetrics::OnTakeOver(const TakeOverProgress& progress) {
  switch (progress.step) {
    case TakeOverProgress::Step::kLoading:
    case TakeOverProgress::Step::kFencing:
      return;
    case TakeOverProgress::Step::kFailed:
      return impl_->recovery_failures->Increment();
    case TakeOverProgress::Step::kDone:
      impl_->recoveries->Increment();
      impl_->recovery->Observe(Seconds(progress.took));
      impl_->recovery_bytes->Increment(static_cast<double>(progress.bytes));
      return;
  }
}

void WorkerMetrics::OnSwept(int64_t blobs) { impl_->swept->Increment(static_cast<double>(blobs)); }

void WorkerMetrics::OnCommitCall(Duration took) { impl_->commit->Observe(Seconds(took)); }

void WorkerMetrics::OnElected() { impl_->elections->Increment(); }

void WorkerMetrics::OnGenerationOpen(const std::string&, Duration took) {
  impl_->generations->Increment();
  impl_->generation_open->Observe(Seconds(took));
}

std::string WorkerMetrics::Text(const WorkerSample& sample) {
  const std::lock_guard lock(impl_->scrape);
  Impl& m = *impl_;
  m.leader->Set(sample.leading ? 1 : 0);
  m.epoch->Set(static_cast<double>(sample.epoch));
  m.slots->Set(sample.slots);
  m.key_groups->Set(sample.key_groups);
  for (const auto& [purpose, counts] : sample.redis) {
    const Impl::Redis& redis = m.redis.at(purpose);
    Raise(redis.round_trips, counts.round_trips);
    Raise(redis.sent_bytes, counts.sent_bytes);
  }
  Raise(m.sent_bytes, sample.exchange.sent_bytes);
  Raise(m.received_bytes, sample.exchange.received_bytes);
  Raise(m.credit_waits, sample.exchange.credit_waits);
  Raise(m.credit_seconds, Seconds(sample.exchange.credit_wait));
  Raise(m.reconnects, sample.exchange.reconnects);
  Raise(m.broken_streams, sample.exchange.broken_streams);
  Raise(m.dropped_frames, sample.exchange.dropped_frames);
  Raise(m.refused, sample.exchange.refused_connections);
  return prometheus::TextSerializer().Serialize(m.registry.Collect());
}

}  // namespace millrace::worker
