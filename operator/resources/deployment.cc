#include <algorithm>

#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"
#include "operator/resources/pod_template.h"

// The workers. An edit brings up the whole new set beside the old one: workers of the new job file
// stand by, which is ready, until they are enough to take over at the end of a batch. A Stateless
// upgrade stops the old workers first.
namespace millrace::controller {
namespace {

using std::chrono::seconds;

// Left between the end of the hand-over and the kill.
constexpr int64_t kGraceMarginSeconds = 5;
constexpr int64_t kKeptReplicaSets = 2;
constexpr int64_t kProgressMarginSeconds = 300;  // for image pulls and scheduling

std::vector<std::string> Arguments(const api::StreamingJob& job) {
  const auto grace = std::chrono::ceil<seconds>(job.spec.pod.termination_grace_period).count();
  const int64_t handover = std::max<int64_t>(1, grace - kGraceMarginSeconds);
  return {"worker",
          "--job",
          std::string(kJobFolder) + "/" + std::string(kJobFileName),
          "--job-id",
          StateId(job),
          "--metrics-address",
          ":" + std::to_string(job.spec.metrics.port),
          "--listen",
          "0.0.0.0:" + std::to_string(kControlPort),
          "--advertise",
          "$(POD_IP)",
          "--secrets",
          std::string(kSecretsFolder),
          "--grace",
          std::to_string(handover) + "s"};
}

void WriteStrategy(JsonWriter* out, api::Upgrade::Mode mode) {
  Group(out, "strategy", [&] {
    switch (mode) {
      case api::Upgrade::Mode::kStateless:
        Text(out, "type", "Recreate");
        break;
      case api::Upgrade::Mode::kStateful:
        Text(out, "type", "RollingUpdate");
        Group(out, "rollingUpdate", [&] {
          Text(out, "maxSurge", "100%");
          Number(out, "maxUnavailable", 0);
        });
        break;
    }
  });
}

}  // namespace

Object BuildDeployment(const api::StreamingJob& job, const BuildOptions& options,
                       const std::string& revision, int64_t replicas) {
  const auto startup = std::chrono::ceil<seconds>(job.spec.health_check.startup_timeout).count();
  const PodRole role{.component = Component::kWorker,
                     .container = "worker",
                     .arguments = Arguments(job),
                     .restart_policy = "Always",
                     .revision = revision,
                     .serves = true};
  const std::string name = ChildName(job.metadata.name, "workers");
  Object object =
      MakeObject(job.metadata, {.key = {Kind::kDeployment, name}}, [&](JsonWriter* out) {
        Group(out, "spec", [&] {
          Number(out, "replicas", replicas);
          Number(out, "revisionHistoryLimit", kKeptReplicaSets);
          Number(out, "progressDeadlineSeconds", startup + kProgressMarginSeconds);
          WriteStrategy(out, job.spec.upgrade.mode);
          Group(out, "selector", [&] {
            TextMap(out, "matchLabels", SelectorLabels(job.metadata, Component::kWorker));
          });
          Group(out, "template", [&] { WritePodTemplate(out, job, options, role); });
        });
      });
  object.replicas = replicas;
  return object;
}

}  // namespace millrace::controller
