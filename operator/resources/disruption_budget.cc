#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"

namespace millrace::controller {

Object BuildDisruptionBudget(const api::StreamingJob& job) {
  const std::string name = ChildName(job.metadata.name, "workers");
  return MakeObject(job.metadata, {.key = {Kind::kDisruptionBudget, name}}, [&](JsonWriter* out) {
    Group(out, "spec", [&] {
      Number(out, "maxUnavailable", job.spec.disruption_budget_max_unavailable);
      Group(out, "selector",
            [&] { TextMap(out, "matchLabels", SelectorLabels(job.metadata, Component::kWorker)); });
    });
  });
}

}  // namespace millrace::controller
