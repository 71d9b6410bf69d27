#include <algorithm>

#include "operator/resources/json_parts.h"
#include "operator/resources/pod_template.h"

// A worker that stands by is ready; one without a commit for spec.healthCheck.stalledAfter is not
// alive. The worker judges; the probes only ask.
namespace millrace::controller {
namespace {

constexpr int64_t kPeriodSeconds = 10;
// The kubelet waits for one period before it asks for the first time, and asks whether the worker
// is ready as soon as it has started: this is how soon a new worker can count.
constexpr int64_t kStartupPeriodSeconds = 1;
constexpr int64_t kReadyPeriodSeconds = 5;
constexpr int64_t kTimeoutSeconds = 5;
constexpr int64_t kFailures = 3;

struct Probe {
  std::string_view name, path;
  int64_t period_seconds, failures;
};

void WriteProbe(JsonWriter* out, const Probe& probe) {
  Group(out, probe.name, [&] {
    Group(out, "httpGet", [&] {
      Text(out, "path", probe.path);
      Text(out, "port", "metrics");
    });
    Number(out, "periodSeconds", probe.period_seconds);
    Number(out, "timeoutSeconds", kTimeoutSeconds);
    Number(out, "failureThreshold", probe.failures);
  });
}

}  // namespace

void WriteProbes(JsonWriter* out, const api::StreamingJobSpec& spec) {
  const auto startup =
      std::chrono::ceil<std::chrono::seconds>(spec.health_check.startup_timeout).count();
  const int64_t tries = std::max<int64_t>(1, startup / kStartupPeriodSeconds);
  WriteProbe(out, {"startupProbe", "/healthz", kStartupPeriodSeconds, tries});
  WriteProbe(out, {"livenessProbe", "/healthz", kPeriodSeconds, kFailures});
  WriteProbe(out, {"readinessProbe", "/readyz", kReadyPeriodSeconds, kFailures});
}

}  // namespace millrace::controller
