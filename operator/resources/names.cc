#include "operator/resources/names.h"

#include "crds/base/text.h"

namespace millrace::controller {
namespace {
constexpr size_t kMaxNameLength = 63;
constexpr size_t kMarkLength = 8;
}  // namespace

std::string ChildName(const std::string& job, std::string_view suffix) {
  std::string name = job + "-" + std::string(suffix);
  if (name.size() <= kMaxNameLength) return name;
  const std::string mark = HexEncode(Sha256(job)).substr(0, kMarkLength);
  const size_t kept = kMaxNameLength - suffix.size() - kMarkLength - 2;
  return job.substr(0, kept) + "-" + mark + "-" + std::string(suffix);
}

std::map<std::string, std::string> SelectorLabels(const api::ObjectMeta& job, Component component) {
  return {{"app.kubernetes.io/name", "millrace"},
          {"app.kubernetes.io/instance", job.name},
          {"app.kubernetes.io/component", component == Component::kWorker ? "worker" : "cleanup"},
          {std::string(kUidLabel), job.uid}};
}

std::map<std::string, std::string> ObjectLabels(const api::ObjectMeta& job, Component component) {
  auto labels = SelectorLabels(job, component);
  labels.emplace("app.kubernetes.io/managed-by", "millrace-operator");
  return labels;
}

std::string SelectorText(const api::ObjectMeta& job) {
  std::string text;
  for (const auto& [name, value] : SelectorLabels(job, Component::kWorker)) {
    if (!text.empty()) text += ',';
    text.append(name).append("=").append(value);
  }
  return text;
}

std::string StateId(const api::StreamingJob& job) {
  return job.spec.state && job.spec.state->id ? *job.spec.state->id : job.metadata.uid;
}

}  // namespace millrace::controller
