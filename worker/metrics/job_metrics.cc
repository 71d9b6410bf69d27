#include "worker/metrics/job_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

#include "worker/metrics/catalogue.h"

namespace millrace::worker {
namespace {

using Labels = std::map<std::string, std::string>;

// Each partition has three series of its own up to here; the job's lag counts all of them.
constexpr size_t kMaxPartitions = 2000;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
double UnixSeconds(TimePoint time) {
  return time == TimePoint::min() ? 0 : Seconds(time.time_since_epoch());
}

// 5 ms to 60 s, around usual batch intervals.
prometheus::Histogram::BucketBoundaries Buckets() {
  return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60};
}

double ResidentBytes() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   std::fclose);
  long size = 0;
  long resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%ld %ld", &size, &resident) != 2) return 0;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

struct JobMetrics::Impl {
  explicit Impl(Labels constant) : constant_labels(std::move(constant)) {}

  // A metric with at most one label of its own. Made once; the registry's own look-ups build and
  // hash maps of labels.
  prometheus::Counter& Counter(std::string_view name, std::string_view label = {},
                               std::string_view value = {}) {
    return Cached(&counters, name, label, value,
                  [this](const std::string& known, const Labels& labels) {
                    return &prometheus::BuildCounter()
                                .Name(known)
                                .Help(FindMetric(known).help)
                                .Labels(constant_labels)
                                .Register(registry)
                                .Add(labels);
                  });
  }
  prometheus::Gauge& Gauge(std::string_view name, std::string_view label = {},
                           std::string_view value = {}) {
    return Cached(&gauges, name, label, value,
                  [this](const std::string& known, const Labels& labels) {
                    return &prometheus::BuildGauge()
                                .Name(known)
                                .Help(FindMetric(known).help)
                                .Labels(constant_labels)
                                .Register(registry)
                                .Add(labels);
                  });
  }
  prometheus::Histogram& Histogram(std::string_view name, std::string_view label = {},
                                   std::string_view value = {}) {
    return Cached(&histograms, name, label, value,
                  [this](const std::string& known, const Labels& labels) {
                    return &prometheus::BuildHistogram()
                                .Name(known)
                                .Help(FindMetric(known).help)
                                .Labels(constant_labels)
                                .Register(registry)
                                .Add(labels, Buckets());
                  });
  }

  // Of one partition: the only metrics with several labels.
  struct Partition {
    prometheus::Gauge* committed;
    prometheus::Gauge* end;
    prometheus::Gauge* lag;
  };
  prometheus::Gauge* PartitionGauge(const std::string& name, const Labels& labels) {
    return &prometheus::BuildGauge()
                .Name(name)
                .Help(FindMetric(name).help)
                .Labels(constant_labels)
                .Register(registry)
                .Add(labels);
  }
  // Null beyond kMaxPartitions.
  const Partition* PartitionOf(const std::string& source, const PartitionProgress& progress) {
    std::tuple key(source, progress.topic, progress.partition);
    auto it = partitions.find(key);
    if (it == partitions.end()) {
      if (partitions.size() == kMaxPartitions) return nullptr;
      const Labels labels{{"source", source},
                          {"topic", LabelValue(progress.topic)},
                          {"partition", std::to_string(progress.partition)}};
      const Partition made{PartitionGauge("millrace_kafka_committed_offset", labels),
                           PartitionGauge("millrace_kafka_end_offset", labels),
                           PartitionGauge("millrace_kafka_lag_records", labels)};
      it = partitions.emplace(std::move(key), made).first;
    }
    return &it->second;
  }

  // By name and value of the label. The registry owns the metrics and keeps them where they are.
  template <typename T>
  using Cache = std::map<std::string, std::map<std::string, T*, std::less<>>, std::less<>>;
  template <typename T, typename Make>
  T& Cached(Cache<T>* cache, std::string_view name, std::string_view label, std::string_view value,
            const Make& make) {
    std::lock_guard lock(caches);
    auto family = cache->find(name);
    if (family == cache->end()) family = cache->try_emplace(std::string(name)).first;
    const auto it = family->second.find(value);
    if (it != family->second.end()) return *it->second;
    Labels labels;
    if (!label.empty()) labels.emplace(label, LabelValue(value));
    T* const made = make(family->first, labels);
    family->second.emplace(value, made);
    return *made;
  }

  Labels constant_labels;
  prometheus::Registry registry;
  std::mutex caches;
  Cache<prometheus::Counter> counters;
  Cache<prometheus::Gauge> gauges;
  Cache<prometheus::Histogram> histograms;
  std::map<std::tuple<std::string, std::string, int>, Partition> partitions;  // scheduler's thread
  std::mutex scrape;                                                          // one Text at a time
  double cpu_seen = 0;                                                        // guarded by scrape
  std::vector<std::string> stages;
  std::vector<std::string> kafka_sinks;
  prometheus::Gauge* batch_interval = nullptr;
};

JobMetrics::JobMetrics(JobMetricsOptions options, const Clock* clock)
    : clock_(clock),
      impl_(std::make_unique<Impl>(
          Labels{{"namespace", LabelValue(options.ns)}, {"job", LabelValue(options.job)}})) {
  impl_->stages = options.stages;
  impl_->kafka_sinks = options.kafka_sinks;
  impl_->Gauge("millrace_build_info", "version", options.version).Set(1);
  impl_->batch_interval = &impl_->Gauge("millrace_batch_interval_seconds");
  SetBatchInterval(options.batch_interval);
  impl_->Gauge("process_start_time_seconds").Set(UnixSeconds(clock->Now()));
  for (const char* name : {"millrace_batch_id", "millrace_batch_last_committed_timestamp_seconds",
                           "millrace_rate_limit_records_per_second", "millrace_state_bytes"}) {
    impl_->Gauge(name).Set(0);
  }
  impl_->Gauge("millrace_lag_records").Set(-1);
  for (const char* name :
       {"millrace_batches_total", "millrace_batch_failures_total", "millrace_input_bytes_total",
        "millrace_late_records_total", "millrace_expired_keys_total", "millrace_bad_records_total",
        "millrace_rejected_records_total"}) {
    impl_->Counter(name);
  }
  for (const char* name :
       {"millrace_batch_scheduling_delay_seconds", "millrace_batch_processing_delay_seconds",
        "millrace_batch_total_delay_seconds", "millrace_batch_commit_seconds"}) {
    impl_->Histogram(name);
  }
  for (const std::string& source : options.sources) {
    impl_->Counter("millrace_input_records_total", "source", source);
    impl_->Gauge("millrace_watermark_timestamp_seconds", "source", source);
  }
  for (const std::string& sink : options.sinks)
    impl_->Counter("millrace_output_records_total", "sink", sink);
  for (const std::string& sink : options.kafka_sinks) OnTransactions(sink, {});
  for (const std::string& stage : options.stages) {
    impl_->Counter("millrace_stage_seconds_total", "stage", stage);
    impl_->Counter("millrace_stage_tasks_total", "stage", stage);
  }
}

void JobMetrics::SetBatchInterval(Duration interval) {
  impl_->batch_interval->Set(Seconds(interval));
}

JobMetrics::~JobMetrics() = default;

void JobMetrics::OnBatchCommitted(const BatchInfo& info) {
  Impl& m = *impl_;
  m.Counter("millrace_batches_total").Increment();
  m.Gauge("millrace_batch_id").Set(static_cast<double>(info.plan.batch));
  m.Gauge("millrace_batch_last_committed_timestamp_seconds").Set(UnixSeconds(clock_->Now()));
  m.Histogram("millrace_batch_scheduling_delay_seconds").Observe(Seconds(info.scheduling_delay));
  m.Histogram("millrace_batch_processing_delay_seconds").Observe(Seconds(info.processing_delay));
  m.Histogram("millrace_batch_total_delay_seconds")
      .Observe(Seconds(info.scheduling_delay + info.processing_delay));
  m.Histogram("millrace_batch_commit_seconds").Observe(Seconds(info.commit));
  m.Counter("millrace_input_bytes_total").Increment(static_cast<double>(info.input_bytes));
  m.Counter("millrace_late_records_total").Increment(static_cast<double>(info.late_records));
  m.Counter("millrace_expired_keys_total").Increment(static_cast<double>(info.expired_keys));
  m.Counter("millrace_bad_records_total").Increment(static_cast<double>(info.bad_records));
  m.Counter("millrace_rejected_records_total")
      .Increment(static_cast<double>(info.rejected_records));
  m.Gauge("millrace_lag_records").Set(static_cast<double>(info.lag_records));
  m.Gauge("millrace_rate_limit_records_per_second").Set(info.rate);
  m.Gauge("millrace_state_bytes").Set(static_cast<double>(info.state_bytes));
  for (const auto& [source, records] : info.input_by_source)
    m.Counter("millrace_input_records_total", "source", source)
        .Increment(static_cast<double>(records));
  for (const auto& [sink, rows] : info.output_by_sink)
    m.Counter("millrace_output_records_total", "sink", sink).Increment(static_cast<double>(rows));
  for (const PlannedSource& source : info.plan.sources) {
    m.Gauge("millrace_watermark_timestamp_seconds", "source", source.name)
        .Set(UnixSeconds(source.watermark));
  }
  for (size_t i = 0; i < info.stages.size(); ++i) {
    m.Counter("millrace_stage_seconds_total", "stage", m.stages[i])
        .Increment(Seconds(info.stages[i].time));
    m.Counter("millrace_stage_tasks_total", "stage", m.stages[i]).Increment(info.stages[i].tasks);
  }
}

void JobMetrics::OnBatchFailed(int64_t, int, const Status&) {
  impl_->Counter("millrace_batch_failures_total").Increment();
}

void JobMetrics::OnIdle(int64_t lag_records) {
  impl_->Gauge("millrace_lag_records").Set(static_cast<double>(lag_records));
}

void JobMetrics::OnProgress(const std::string& source,
                            const std::vector<PartitionProgress>& partitions) {
  for (const PartitionProgress& progress : partitions) {
    const Impl::Partition* gauges = impl_->PartitionOf(source, progress);
    if (gauges == nullptr) continue;
    gauges->committed->Set(static_cast<double>(progress.committed));
    gauges->end->Set(static_cast<double>(progress.end));
    gauges->lag->Set(static_cast<double>(std::max<int64_t>(0, progress.end - progress.committed)));
  }
}

void JobMetrics::OnTransactions(const std::string& sink, const SinkTransactions& transactions) {
  const bool kafka = std::find(impl_->kafka_sinks.begin(), impl_->kafka_sinks.end(), sink) !=
                     impl_->kafka_sinks.end();
  if (!kafka) return;
  const std::pair<const char*, int64_t> counts[] = {
      {"millrace_kafka_transactions_committed_total", transactions.committed},
      {"millrace_kafka_transactions_aborted_total", transactions.aborted},
      {"millrace_kafka_transactions_unknown_total", transactions.unknown},
      {"millrace_kafka_fenced_total", transactions.fenced},
      {"millrace_kafka_producers_total", transactions.producers}};
  for (const auto& [name, count] : counts)
    impl_->Counter(name, "sink", sink).Increment(static_cast<double>(count));
  prometheus::Histogram& times =
      impl_->Histogram("millrace_kafka_transaction_commit_seconds", "sink", sink);
  for (const Duration time : transactions.commit_times) times.Observe(Seconds(time));
}

std::string JobMetrics::Text() {
  std::lock_guard lock(impl_->scrape);
  const double cpu = CpuSeconds();
  impl_->Counter("process_cpu_seconds_total").Increment(cpu - impl_->cpu_seen);
  impl_->cpu_seen = cpu;
  impl_->Gauge("process_resident_memory_bytes").Set(ResidentBytes());
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace millrace::worker
