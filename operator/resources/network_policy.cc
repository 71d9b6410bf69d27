#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"

// Workers take records from workers of their own job only; the metrics port is open to scrapers and
// to the operator. What workers may reach is not restricted: brokers and databases can be anywhere.
namespace millrace::controller {
namespace {

void WriteTcp(JsonWriter* out, int64_t port) {
  Element(out, [&] {
    Text(out, "protocol", "TCP");
    Number(out, "port", port);
  });
}

void WriteIngress(JsonWriter* out, const api::StreamingJob& job) {
  Element(out, [&] {
    Sequence(out, "from", [&] {
      Element(out, [&] {
        Group(out, "podSelector", [&] {
          TextMap(out, "matchLabels", SelectorLabels(job.metadata, Component::kWorker));
        });
      });
    });
    Sequence(out, "ports", [&] {
      WriteTcp(out, kControlPort);
      WriteTcp(out, kDataPort);
    });
  });
  Element(out, [&] { Sequence(out, "ports", [&] { WriteTcp(out, job.spec.metrics.port); }); });
}

}  // namespace

Object BuildNetworkPolicy(const api::StreamingJob& job) {
  const std::string name = ChildName(job.metadata.name, "workers");
  return MakeObject(job.metadata, {.key = {Kind::kNetworkPolicy, name}}, [&](JsonWriter* out) {
    Group(out, "spec", [&] {
      Group(out, "podSelector",
            [&] { TextMap(out, "matchLabels", SelectorLabels(job.metadata, Component::kWorker)); });
      Sequence(out, "policyTypes", [&] { out->String("Ingress"); });
      Sequence(out, "ingress", [&] { WriteIngress(out, job); });
    });
  });
}

}  // namespace millrace::controller
