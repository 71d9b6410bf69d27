#include "operator/resources/pod_template.h"

#include "operator/resources/json_parts.h"

namespace millrace::controller {
namespace {

const char* PolicyName(api::StreamingJobSpec::PullPolicy policy) {
  switch (policy) {
    case api::StreamingJobSpec::PullPolicy::kAlways:
      return "Always";
    case api::StreamingJobSpec::PullPolicy::kIfNotPresent:
      return "IfNotPresent";
    case api::StreamingJobSpec::PullPolicy::kNever:
      return "Never";
  }
  return "";
}

void WriteMetadata(JsonWriter* out, const api::StreamingJob& job, const PodRole& role) {
  auto labels = SelectorLabels(job.metadata, role.component);
  labels.emplace(std::string(kRevisionLabel), role.revision);
  labels.insert(job.spec.pod.labels.begin(), job.spec.pod.labels.end());
  std::map<std::string, std::string> annotations = job.spec.pod.annotations;
  // Pods of an earlier roll-out are never taken again: workers of an older file stand by for ever.
  if (role.serves)
    annotations[std::string(kRolloutAnnotation)] = std::to_string(job.metadata.generation);
  Group(out, "metadata", [&] {
    TextMap(out, "labels", labels);
    if (!annotations.empty()) TextMap(out, "annotations", annotations);
  });
}

void WriteEnv(JsonWriter* out, const std::vector<api::EnvVar>& env) {
  Sequence(out, "env", [&] {
    Element(out, [&] {
      Text(out, "name", "POD_IP");
      Group(out, "valueFrom",
            [&] { Group(out, "fieldRef", [&] { Text(out, "fieldPath", "status.podIP"); }); });
    });
    for (const api::EnvVar& variable : env) {
      Element(out, [&] {
        Text(out, "name", variable.name);
        Text(out, "value", variable.value);
      });
    }
  });
}

void WritePort(JsonWriter* out, std::string_view name, int64_t port) {
  Element(out, [&] {
    Text(out, "name", name);
    Number(out, "containerPort", port);
    Text(out, "protocol", "TCP");
  });
}

void WriteServing(JsonWriter* out, const api::StreamingJobSpec& spec) {
  Sequence(out, "ports", [&] {
    WritePort(out, "control", kControlPort);
    WritePort(out, "data", kDataPort);
    WritePort(out, "metrics", spec.metrics.port);
  });
  WriteProbes(out, spec);
}

void WriteContainer(JsonWriter* out, const api::StreamingJob& job, const BuildOptions& options,
                    const PodRole& role, const References& references) {
  const api::StreamingJobSpec& spec = job.spec;
  Element(out, [&] {
    Text(out, "name", role.container);
    Text(out, "image", spec.image.value_or(options.image));
    Text(out, "imagePullPolicy", PolicyName(spec.image_pull_policy.value_or(options.pull_policy)));
    Sequence(out, "args", [&] {
      for (const std::string& argument : role.arguments) out->String(argument);
    });
    WriteEnv(out, spec.pod.env);
    if (role.serves) WriteServing(out, spec);
    Group(out, "resources", [&] {
      TextMap(out, "requests", spec.resources.requests);
      TextMap(out, "limits", spec.resources.limits);
    });
    WriteContainerSecurity(out);
    WriteVolumeMounts(out, spec, references);
  });
}

void WritePullSecrets(JsonWriter* out, const std::vector<std::string>& names) {
  if (names.empty()) return;
  Sequence(out, "imagePullSecrets", [&] {
    for (const std::string& name : names) Element(out, [&] { Text(out, "name", name); });
  });
}

void WriteSpec(JsonWriter* out, const api::StreamingJob& job, const BuildOptions& options,
               const PodRole& role) {
  const api::StreamingJobSpec& spec = job.spec;
  const auto grace =
      std::chrono::ceil<std::chrono::seconds>(spec.pod.termination_grace_period).count();
  Text(out, "serviceAccountName",
       spec.pod.service_account_name.value_or(ChildName(job.metadata.name, "workers")));
  Text(out, "restartPolicy", role.restart_policy);
  Number(out, "terminationGracePeriodSeconds", grace);
  WritePodSecurity(out, options.user_id);
  WritePullSecrets(
      out, spec.image_pull_secrets.empty() ? options.pull_secrets : spec.image_pull_secrets);
  WritePlacement(out, job);
  const References references = FindReferences(spec);
  Sequence(out, "containers", [&] { WriteContainer(out, job, options, role, references); });
  WriteVolumes(out, job, references, role.revision);
}

}  // namespace

void WritePodTemplate(JsonWriter* out, const api::StreamingJob& job, const BuildOptions& options,
                      const PodRole& role) {
  WriteMetadata(out, job, role);
  Group(out, "spec", [&] { WriteSpec(out, job, options, role); });
}

}  // namespace millrace::controller
