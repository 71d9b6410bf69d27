#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"

// For clusters whose Prometheus finds its targets through PodMonitors.
namespace millrace::controller {

Object BuildPodMonitor(const api::StreamingJob& job) {
  const std::string name = ChildName(job.metadata.name, "workers");
  return MakeObject(job.metadata, {.key = {Kind::kPodMonitor, name}}, [&](JsonWriter* out) {
    Group(out, "spec", [&] {
      Group(out, "selector",
            [&] { TextMap(out, "matchLabels", SelectorLabels(job.metadata, Component::kWorker)); });
      Sequence(out, "podMetricsEndpoints", [&] {
        Element(out, [&] {
          Text(out, "port", "metrics");
          Text(out, "path", "/metrics");
          // The label job of the metrics is the job's name, not that of the scrape.
          Flag(out, "honorLabels", true);
        });
      });
    });
  });
}

}  // namespace millrace::controller
