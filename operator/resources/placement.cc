#include "operator/resources/json_parts.h"
#include "operator/resources/pod_template.h"

// Where pods may run: what spec.pod says, and nothing else.
namespace millrace::controller {
namespace {

void WriteSpread(JsonWriter* out, const api::StreamingJob& job, const char* topology) {
  Sequence(out, "topologySpreadConstraints", [&] {
    Element(out, [&] {
      Number(out, "maxSkew", 1);
      Text(out, "topologyKey", topology);
      Text(out, "whenUnsatisfiable", "ScheduleAnyway");
      Group(out, "labelSelector",
            [&] { TextMap(out, "matchLabels", SelectorLabels(job.metadata, Component::kWorker)); });
    });
  });
}

void WriteToleration(JsonWriter* out, const api::Toleration& toleration) {
  Element(out, [&] {
    if (toleration.key) Text(out, "key", *toleration.key);
    if (toleration.operation) Text(out, "operator", *toleration.operation);
    if (toleration.value) Text(out, "value", *toleration.value);
    if (toleration.effect) Text(out, "effect", *toleration.effect);
    if (toleration.toleration_seconds)
      Number(out, "tolerationSeconds", *toleration.toleration_seconds);
  });
}

}  // namespace

void WritePlacement(JsonWriter* out, const api::StreamingJob& job) {
  const api::Pod& pod = job.spec.pod;
  if (!pod.node_selector.empty()) TextMap(out, "nodeSelector", pod.node_selector);
  if (!pod.tolerations.empty()) {
    Sequence(out, "tolerations", [&] {
      for (const api::Toleration& toleration : pod.tolerations) WriteToleration(out, toleration);
    });
  }
  if (pod.priority_class_name) Text(out, "priorityClassName", *pod.priority_class_name);
  switch (pod.topology_spread) {
    case api::Pod::TopologySpread::kZone:
      WriteSpread(out, job, "topology.kubernetes.io/zone");
      break;
    case api::Pod::TopologySpread::kHost:
      WriteSpread(out, job, "kubernetes.io/hostname");
      break;
    case api::Pod::TopologySpread::kDisabled:
      break;
  }
}

}  // namespace millrace::controller
