#include "crds/base/overloaded.h"
#include "operator/resources/json_parts.h"
#include "operator/resources/pod_template.h"
#include "operator/resources/references.h"

// Volumes have names of our own, counted in a fixed order, so none can be mistaken for another.
namespace millrace::controller {
namespace {

constexpr int64_t kSecretMode = 0440;  // the workers' group reads, others do not
constexpr const char* kScratchSize = "1Gi";

std::string Numbered(std::string_view prefix, size_t index) {
  return std::string(prefix) + "-" + std::to_string(index);
}

void WriteSecret(JsonWriter* out, const std::string& secret) {
  Group(out, "secret", [&] {
    Text(out, "secretName", secret);
    Number(out, "defaultMode", kSecretMode);
  });
}

void WriteConfigMap(JsonWriter* out, const std::string& name) {
  Group(out, "configMap", [&] { Text(out, "name", name); });
}

void WriteUserVolume(JsonWriter* out, const api::Volume& volume) {
  std::visit(
      Overloaded{[&](const api::PersistentVolumeClaimVolume& claim) {
                   Group(out, "persistentVolumeClaim", [&] {
                     Text(out, "claimName", claim.claim_name);
                     Flag(out, "readOnly", volume.read_only);
                   });
                 },
                 [&](const api::ConfigMapVolume& map) { WriteConfigMap(out, map.name); },
                 [&](const api::SecretVolume& secret) { WriteSecret(out, secret.secret_name); },
                 [&](const api::EmptyDirVolume& folder) {
                   Group(out, "emptyDir", [&] {
                     if (folder.size_limit) Text(out, "sizeLimit", *folder.size_limit);
                   });
                 }},
      volume.kind);
}

template <typename Source>
void WriteVolume(JsonWriter* out, const std::string& name, const Source& source) {
  Element(out, [&] {
    Text(out, "name", name);
    source();
  });
}

void WriteMount(JsonWriter* out, const std::string& name, const std::string& path, bool read_only) {
  Element(out, [&] {
    Text(out, "name", name);
    Text(out, "mountPath", path);
    Flag(out, "readOnly", read_only);
  });
}

}  // namespace

void WriteVolumes(JsonWriter* out, const api::StreamingJob& job, const References& references,
                  const std::string& revision) {
  Sequence(out, "volumes", [&] {
    WriteVolume(out, "job", [&] { WriteConfigMap(out, ChildName(job.metadata.name, revision)); });
    WriteVolume(out, "tmp",
                [&] { Group(out, "emptyDir", [&] { Text(out, "sizeLimit", kScratchSize); }); });
    size_t index = 0;
    for (const std::string& secret : references.secrets)
      WriteVolume(out, Numbered("secret", index++), [&] { WriteSecret(out, secret); });
    index = 0;
    for (const std::string& map : references.config_maps)
      WriteVolume(out, Numbered("config", index++), [&] { WriteConfigMap(out, map); });
    index = 0;
    for (const api::Volume& volume : job.spec.pod.volumes)
      WriteVolume(out, Numbered("volume", index++), [&] { WriteUserVolume(out, volume); });
  });
}

void WriteVolumeMounts(JsonWriter* out, const api::StreamingJobSpec& spec,
                       const References& references) {
  Sequence(out, "volumeMounts", [&] {
    // A folder of its own: a single file would not follow its ConfigMap.
    WriteMount(out, "job", std::string(kJobFolder), true);
    WriteMount(out, "tmp", "/tmp", false);
    size_t index = 0;
    for (const std::string& secret : references.secrets)
      WriteMount(out, Numbered("secret", index++), std::string(kSecretsFolder) + "/" + secret,
                 true);
    index = 0;
    for (const std::string& map : references.config_maps)
      WriteMount(out, Numbered("config", index++), std::string(kConfigFolder) + "/" + map, true);
    index = 0;
    for (const api::Volume& volume : spec.pod.volumes)
      WriteMount(out, Numbered("volume", index++), volume.mount_path, volume.read_only);
  });
}

}  // namespace millrace::controller
