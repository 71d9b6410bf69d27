#include "operator/runtime/operator_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <string_view>

namespace millrace::controller {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr const char* kController = "streamingjob";
// One list for every metric, in the order of the documentation.
enum Metric : size_t {
  kReconcileTotal,
  kReconcileErrors,
  kReconcileTime,
  kMaxConcurrent,
  kActiveWorkers,
  kDepth,
  kAdds,
  kRetries,
  kQueueDuration,
  kWorkDuration,
  kUnfinished,
  kLongest,
  kRequests,
  kRequestDuration,
  kMaster,
};

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// 10 ms to 60 s for passes, 1 us to 1000 s for the queue, 5 ms to 60 s for calls.
Histogram::BucketBoundaries PassBuckets() {
  return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}
Histogram::BucketBoundaries QueueBuckets() {
  return {0.000001, 0.00001, 0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000};
}

// Codes that have a series of their own; others count under their class.
std::string CodeText(int code) {
  for (const int known : {200, 201, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 504}) {
    if (code == known) return std::to_string(code);
  }
  return code == 0 ? "<error>" : std::to_string(code / 100) + "xx";
}

}  // namespace

const std::vector<OperatorMetric>& OperatorMetricCatalogue() {
  static const std::vector<OperatorMetric> catalogue = {
      {"controller_runtime_reconcile_total", "counter", "controller, result",
       "Passes over jobs by result: success, requeue_after, error."},
      {"controller_runtime_reconcile_errors_total", "counter", "controller", "Passes that failed."},
      {"controller_runtime_reconcile_time_seconds", "histogram", "controller", "Time of one pass."},
      {"controller_runtime_max_concurrent_reconciles", "gauge", "controller",
       "Passes that may run at the same time."},
      {"controller_runtime_active_workers", "gauge", "controller", "Passes that run now."},
      {"workqueue_depth", "gauge", "name, controller", "Jobs that wait for a pass."},
      {"workqueue_adds_total", "counter", "name, controller",
       "Times that a job was to be looked at."},
      {"workqueue_retries_total", "counter", "name, controller", "Passes put off after a failure."},
      {"workqueue_queue_duration_seconds", "histogram", "name, controller",
       "Time that a job waited for its pass."},
      {"workqueue_work_duration_seconds", "histogram", "name, controller", "Time of one pass."},
      {"workqueue_unfinished_work_seconds", "gauge", "name, controller",
       "Time of the passes that run now, together."},
      {"workqueue_longest_running_processor_seconds", "gauge", "name, controller",
       "Time of the longest pass that runs now."},
      {"rest_client_requests_total", "counter", "code, method, host",
       "Answers of the API server; code <error> where none came, method WATCH for watches."},
      {"rest_client_request_duration_seconds", "histogram", "verb, host",
       "Time of one call, watches left out."},
      {"leader_election_master_status", "gauge", "name", "1 while this process leads."},
  };
  return catalogue;
}

struct OperatorMetrics::Impl {
  explicit Impl(std::string api_host) : host(std::move(api_host)) {
    for (const OperatorMetric& metric : OperatorMetricCatalogue()) {
      if (std::string_view(metric.kind) == "counter")
        counters[metric.name] =
            &prometheus::BuildCounter().Name(metric.name).Help(metric.help).Register(registry);
      if (std::string_view(metric.kind) == "gauge")
        gauges[metric.name] =
            &prometheus::BuildGauge().Name(metric.name).Help(metric.help).Register(registry);
      if (std::string_view(metric.kind) == "histogram")
        histograms[metric.name] =
            &prometheus::BuildHistogram().Name(metric.name).Help(metric.help).Register(registry);
    }
  }
  static const char* NameOf(Metric metric) { return OperatorMetricCatalogue()[metric].name; }
  Counter& CounterOf(Metric metric, const Labels& labels) {
    return counters.at(NameOf(metric))->Add(labels);
  }
  Gauge& GaugeOf(Metric metric, const Labels& labels) {
    return gauges.at(NameOf(metric))->Add(labels);
  }
  Histogram& HistogramOf(Metric metric, const Labels& labels,
                         const Histogram::BucketBoundaries& buckets) {
    return histograms.at(NameOf(metric))->Add(labels, buckets);
  }

  const std::string host;
  const Labels controller{{"controller", kController}};
  const Labels queue{{"name", kController}, {"controller", kController}};
  Labels lease;
  prometheus::Registry registry;
  std::map<std::string, prometheus::Family<Counter>*> counters;
  std::map<std::string, prometheus::Family<Gauge>*> gauges;
  std::map<std::string, prometheus::Family<Histogram>*> histograms;
};

OperatorMetrics::OperatorMetrics(const std::string& host, const std::string& lease, int workers)
    : impl_(std::make_unique<Impl>(host)) {
  Impl& m = *impl_;
  m.lease = {{"name", lease}};
  for (const char* result : {"success", "requeue_after", "error"})
    m.CounterOf(kReconcileTotal, {{"controller", kController}, {"result", result}});
  m.CounterOf(kReconcileErrors, m.controller);
  m.HistogramOf(kReconcileTime, m.controller, PassBuckets());
  m.GaugeOf(kMaxConcurrent, m.controller).Set(workers);
  m.CounterOf(kAdds, m.queue);
  m.CounterOf(kRetries, m.queue);
  m.HistogramOf(kQueueDuration, m.queue, QueueBuckets());
  m.HistogramOf(kWorkDuration, m.queue, QueueBuckets());
  for (const char* method : {"GET", "WATCH", "PATCH", "POST", "PUT", "DELETE"}) {
    m.CounterOf(kRequests, {{"code", "200"}, {"method", method}, {"host", host}});
    if (std::string_view(method) != "WATCH")
      m.HistogramOf(kRequestDuration, {{"verb", method}, {"host", host}}, PassBuckets());
  }
}

OperatorMetrics::~OperatorMetrics() = default;

void OperatorMetrics::OnAdd() { impl_->CounterOf(kAdds, impl_->queue).Increment(); }

void OperatorMetrics::OnRetry() { impl_->CounterOf(kRetries, impl_->queue).Increment(); }

void OperatorMetrics::OnTake(Duration waited) {
  impl_->HistogramOf(kQueueDuration, impl_->queue, QueueBuckets()).Observe(Seconds(waited));
}

void OperatorMetrics::OnPass(PassOutcome outcome, Duration took) {
  const auto result = [&] {
    switch (outcome) {
      case PassOutcome::kSuccess:
        return "success";
      case PassOutcome::kRequeueAfter:
        return "requeue_after";
      case PassOutcome::kError:
        return "error";
    }
    return "";
  };
  Impl& m = *impl_;
  m.CounterOf(kReconcileTotal, {{"controller", kController}, {"result", result()}}).Increment();
  if (outcome == PassOutcome::kError) m.CounterOf(kReconcileErrors, m.controller).Increment();
  m.HistogramOf(kReconcileTime, m.controller, PassBuckets()).Observe(Seconds(took));
  m.HistogramOf(kWorkDuration, m.queue, QueueBuckets()).Observe(Seconds(took));
}

void OperatorMetrics::OnAnswer(const std::string& method, int code, Duration took) {
  Impl& m = *impl_;
  m.CounterOf(kRequests, {{"code", CodeText(code)}, {"method", method}, {"host", m.host}})
      .Increment();
  if (method != "WATCH")
    m.HistogramOf(kRequestDuration, {{"verb", method}, {"host", m.host}}, PassBuckets())
        .Observe(Seconds(took));
}

std::string OperatorMetrics::Text(const ControllerState& state, bool leading) {
  Impl& m = *impl_;
  m.GaugeOf(kActiveWorkers, m.controller).Set(static_cast<double>(state.unfinished.count));
  m.GaugeOf(kDepth, m.queue).Set(static_cast<double>(state.waiting));
  m.GaugeOf(kUnfinished, m.queue).Set(Seconds(state.unfinished.total));
  m.GaugeOf(kLongest, m.queue).Set(Seconds(state.unfinished.longest));
  m.GaugeOf(kMaster, m.lease).Set(leading ? 1 : 0);
  return prometheus::TextSerializer().Serialize(m.registry.Collect());
}

}  // namespace millrace::controller
