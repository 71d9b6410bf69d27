#include "operator/resources/cluster_rules.h"

#include <algorithm>
#include <array>
#include <set>

#include "crds/api/text_rule.h"
#include "crds/base/text.h"
#include "operator/resources/job_file.h"
#include "operator/resources/names.h"
#include "operator/resources/references.h"

namespace millrace::controller {
namespace {

constexpr size_t kMaxJobFileBytes = 900 << 10;  // a ConfigMap holds 1 MiB, its own text included
constexpr size_t kMaxLabelLength = 63;

// Folders no volume may cover, nor lie in.
constexpr std::array<std::string_view, 12> kTakenFolders{"/etc", "/tmp", "/proc",    "/sys",
                                                         "/dev", "/run", "/var/run", "/usr",
                                                         "/bin", "/lib", "/lib64",   "/sbin"};

bool Within(std::string_view path, std::string_view folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

std::string Tidy(std::string_view path) {
  std::string tidy;
  for (const std::string_view part : Split(path, '/')) {
    if (!part.empty() && part != ".") tidy.append("/").append(part);
  }
  return tidy.empty() ? "/" : tidy;
}

bool IsReserved(std::string_view key) {
  const size_t slash = key.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string domain = ToLowerAscii(key.substr(0, slash));
  return std::any_of(std::begin(kReservedDomains), std::end(kReservedDomains),
                     [&](std::string_view reserved) {
                       return domain == reserved || domain.ends_with("." + std::string(reserved));
                     });
}

bool IsLabelText(std::string_view text) {
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.size() > kMaxLabelLength) return false;
  if (!text.empty() && !(alnum(text.front()) && alnum(text.back()))) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

void CheckKeys(const std::map<std::string, std::string>& values, const std::string& path,
               api::Diagnostics* out) {
  for (const auto& [key, value] : values) {
    const size_t slash = key.find('/');
    const std::string name = slash == std::string::npos ? key : key.substr(slash + 1);
    if (IsReserved(key)) {
      AddError(out, path,
               "\"" + Excerpt(key) + "\" is of a domain that controllers act upon; " +
                   "use a domain of your own");
    } else if (name.empty() || !IsLabelText(name)) {
      AddError(out, path, "\"" + Excerpt(key) + "\" is not a key; use letters, digits, - _ .");
    }
  }
}

void CheckLabels(const std::map<std::string, std::string>& labels, api::Diagnostics* out) {
  CheckKeys(labels, "spec.pod.labels", out);
  for (const auto& [key, value] : labels) {
    if (!IsLabelText(value))
      AddError(out, "spec.pod.labels." + key,
               "\"" + Excerpt(value) + "\" is not the value of a label");
  }
}

void CheckVolumes(const std::vector<api::Volume>& volumes, api::Diagnostics* out) {
  std::set<std::string> mounts;
  for (size_t i = 0; i < volumes.size(); ++i) {
    const std::string path = "spec.pod.volumes[" + std::to_string(i) + "].mountPath";
    const std::string mount = Tidy(volumes[i].mount_path);
    if (volumes[i].mount_path.find(':') != std::string::npos)
      AddError(out, path, "a mount path has no \":\"");
    if (!mounts.insert(mount).second) AddError(out, path, mount + " is mounted twice");
    const bool taken = mount == "/" || mount == "/var" ||
                       std::any_of(kTakenFolders.begin(), kTakenFolders.end(),
                                   [&](std::string_view folder) { return Within(mount, folder); });
    if (taken) AddError(out, path, mount + " belongs to the image; use a folder such as /data");
  }
}

void CheckEnv(const std::vector<api::EnvVar>& env, api::Diagnostics* out) {
  std::set<std::string> names;
  for (size_t i = 0; i < env.size(); ++i) {
    const std::string path = "spec.pod.env[" + std::to_string(i) + "].name";
    const std::string& name = env[i].name;
    if (name == "POD_IP") AddError(out, path, "POD_IP is set by the operator");
    if (!names.insert(name).second) AddError(out, path, name + " is set twice");
    if (name.find_first_of(std::string_view("=\0", 2)) != std::string::npos)
      AddError(out, path, "\"" + Excerpt(name) + "\" is not the name of a variable");
  }
}

void CheckTolerations(const std::vector<api::Toleration>& tolerations, api::Diagnostics* out) {
  const auto check = [&](const std::optional<std::string>& text, std::string path,
                         const std::vector<std::string>& known) {
    if (text && std::find(known.begin(), known.end(), *text) == known.end())
      AddError(out, std::move(path), "\"" + Excerpt(*text) + "\" is none of " + Join(known, ", "));
  };
  for (size_t i = 0; i < tolerations.size(); ++i) {
    const std::string path = "spec.pod.tolerations[" + std::to_string(i) + "]";
    check(tolerations[i].operation, path + ".operator", {"Exists", "Equal"});
    check(tolerations[i].effect, path + ".effect", {"NoSchedule", "PreferNoSchedule", "NoExecute"});
  }
}

// The names become parts of paths and of other objects' fields; the reader of manifests has checked
// them, but nothing here rests on who read the job.
void CheckNames(const api::StreamingJobSpec& spec, api::Diagnostics* out) {
  const auto check = [&](const std::string& name, const std::string& path) {
    if (const Status status = api::kKubernetesName.check(name); !status.ok())
      AddError(out, path, status.message());
  };
  const References references = FindReferences(spec);
  for (const std::string& name : references.secrets) check(name, "spec (secretName)");
  for (const std::string& name : references.config_maps) check(name, "spec (configMapKeyRef)");
  for (const std::string& name : spec.image_pull_secrets) check(name, "spec.imagePullSecrets");
  if (spec.pod.service_account_name)
    check(*spec.pod.service_account_name, "spec.pod.serviceAccountName");
  if (spec.pod.priority_class_name)
    check(*spec.pod.priority_class_name, "spec.pod.priorityClassName");
}

void CheckPlace(const api::StreamingJobSpec& spec, api::Diagnostics* out) {
  if (!spec.state || !std::holds_alternative<api::RedisState>(spec.state->kind))
    AddError(out, "spec.state", "workers in a cluster share their state; give state.redis");
  if (spec.metrics.port == kControlPort || spec.metrics.port == kDataPort)
    AddError(out, "spec.metrics.port", "7077 and 7078 are for traffic between workers");
  if (spec.metrics.port < 1024)
    AddError(out, "spec.metrics.port", "ports below 1024 need a privilege; use 1024 or more");
  const std::optional<std::string>& priority = spec.pod.priority_class_name;
  if (priority && priority->starts_with("system-"))
    AddError(out, "spec.pod.priorityClassName", "\"" + *priority + "\" is for system pods");
}

}  // namespace

api::Diagnostics CheckForCluster(const api::StreamingJob& job) {
  api::Diagnostics found;
  const api::StreamingJobSpec& spec = job.spec;
  CheckPlace(spec, &found);
  CheckNames(spec, &found);
  CheckLabels(spec.pod.labels, &found);
  CheckKeys(spec.pod.annotations, "spec.pod.annotations", &found);
  CheckVolumes(spec.pod.volumes, &found);
  CheckEnv(spec.pod.env, &found);
  CheckTolerations(spec.pod.tolerations, &found);
  if (JobFile(job).size() > kMaxJobFileBytes)
    AddError(&found, "spec", "the job is too large for a ConfigMap of 1 MiB");
  return found;
}

}  // namespace millrace::controller
