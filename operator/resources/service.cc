#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"

// Headless: a name for every worker, also for one that stands by or is just starting.
namespace millrace::controller {
namespace {

void WritePort(JsonWriter* out, std::string_view name, int64_t port) {
  Element(out, [&] {
    Text(out, "name", name);
    Number(out, "port", port);
    Text(out, "protocol", "TCP");
  });
}

}  // namespace

Object BuildService(const api::StreamingJob& job) {
  const std::string name = ChildName(job.metadata.name, "workers");
  return MakeObject(job.metadata, {.key = {Kind::kService, name}}, [&](JsonWriter* out) {
    Group(out, "spec", [&] {
      Text(out, "clusterIP", "None");
      Flag(out, "publishNotReadyAddresses", true);
      TextMap(out, "selector", SelectorLabels(job.metadata, Component::kWorker));
      Sequence(out, "ports", [&] {
        WritePort(out, "control", kControlPort);
        WritePort(out, "data", kDataPort);
        WritePort(out, "metrics", job.spec.metrics.port);
      });
    });
  });
}

}  // namespace millrace::controller
