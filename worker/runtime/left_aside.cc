#include "worker/runtime/left_aside.h"

#include "crds/api/field_writer.h"

namespace millrace::worker {
namespace {

template <typename T>
std::string TextOf(T value) {
  JsonWriter out;
  api::FieldWriter::Write([&](api::Fields& fields) { Describe(fields, value); }, &out);
  return out.Take();
}

template <typename T>
bool Differ(const T& a, const T& b) {
  return TextOf(a) != TextOf(b);
}

}  // namespace

std::vector<std::string> FieldsLeftAside(const api::StreamingJobSpec& spec) {
  const api::StreamingJobSpec defaults;
  std::vector<std::string> names;
  const auto note = [&](bool set, const char* name) {
    if (set) names.emplace_back(std::string("spec.") + name);
  };
  note(spec.workers != defaults.workers, "workers");
  note(Differ(spec.autoscaling, defaults.autoscaling), "autoscaling");
  note(spec.restart_policy.healthy_reset != defaults.restart_policy.healthy_reset,
       "restartPolicy.healthyReset");
  note(spec.health_check.startup_timeout != defaults.health_check.startup_timeout,
       "healthCheck.startupTimeout");
  note(spec.upgrade.mode != defaults.upgrade.mode, "upgrade.mode");
  note(spec.upgrade.rollback && spec.upgrade.rollback->enabled, "upgrade.rollback");
  note(Differ(spec.deletion, defaults.deletion), "deletion");
  note(spec.ttl_after_finished.has_value(), "ttlAfterFinished");
  note(spec.image.has_value(), "image");
  note(spec.image_pull_policy.has_value(), "imagePullPolicy");
  note(!spec.image_pull_secrets.empty(), "imagePullSecrets");
  note(Differ(spec.resources, defaults.resources), "resources");
  note(Differ(spec.pod, defaults.pod), "pod");
  note(spec.disruption_budget_max_unavailable != defaults.disruption_budget_max_unavailable,
       "disruptionBudget");
  note(Differ(spec.metrics, defaults.metrics), "metrics");
  note(spec.logging.sample_bad_records, "logging.sampleBadRecords");
  return names;
}

}  // namespace millrace::worker
