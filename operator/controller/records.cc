#include "operator/controller/records.h"

#include <simdjson.h>

#include "crds/api/codec.h"
#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace::controller {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// One parsed object; what is absent or of another type reads as empty.
class Document {
 public:
  explicit Document(const std::string& json) { ok_ = parser_.parse(json).get(root_) == SUCCESS; }

  bool ok() const { return ok_; }
  const element& root() const { return root_; }
  std::string Text(std::string_view pointer) const {
    std::string_view text;
    return root_.at_pointer(pointer).get(text) == SUCCESS ? std::string(text) : "";
  }
  std::optional<int64_t> Int(std::string_view pointer) const {
    int64_t value = 0;
    if (root_.at_pointer(pointer).get(value) != SUCCESS) return std::nullopt;
    return value;
  }
  bool Has(std::string_view pointer) const { return root_.at_pointer(pointer).error() == SUCCESS; }
  // A member of metadata.labels or metadata.annotations; their names hold slashes.
  std::string Mark(std::string_view map, std::string_view name) const {
    std::string_view text;
    return root_["metadata"][map][name].get(text) == SUCCESS ? std::string(text) : "";
  }
  template <typename Take>
  void Each(std::string_view pointer, const Take& take) const {
    array list;
    if (root_.at_pointer(pointer).get(list) != SUCCESS) return;
    for (const element item : list) take(item);
  }

 private:
  simdjson::dom::parser parser_;
  element root_;
  bool ok_ = false;
};

std::string MemberOf(const element& item, std::string_view name) {
  std::string_view text;
  return item[name].get(text) == SUCCESS ? std::string(text) : "";
}

std::optional<TimePoint> TimeOf(const std::string& text) {
  const Result<TimePoint> time = ParseRfc3339(text);
  return time.ok() ? std::optional(*time) : std::nullopt;
}

// The object without metadata.managedFields, which can be larger than all the rest.
std::string Stripped(const element& root) {
  JsonWriter out;
  out.BeginObject();
  for (const auto [name, value] : object(root)) {
    out.Key(name);
    object metadata;
    if (name != "metadata" || value.get(metadata) != SUCCESS) {
      out.Raw(simdjson::minify(value));
      continue;
    }
    out.BeginObject();
    for (const auto [member, content] : metadata) {
      if (member == "managedFields") continue;
      out.Key(member);
      out.Raw(simdjson::minify(content));
    }
    out.EndObject();
  }
  out.EndObject();
  return out.Take();
}

bool HasCondition(const Document& document, std::string_view type, std::string_view status) {
  bool found = false;
  document.Each("/status/conditions", [&](const element& condition) {
    found |= MemberOf(condition, "type") == type && MemberOf(condition, "status") == status;
  });
  return found;
}

std::string ControllerUid(const Document& document) {
  std::string uid;
  document.Each("/metadata/ownerReferences", [&](const element& owner) {
    bool controls = false;
    if (owner["controller"].get(controls) == SUCCESS && controls) uid = MemberOf(owner, "uid");
  });
  return uid;
}

// Of the apply in the operator's name.
std::string OwnedFields(const Document& document) {
  std::string fields;
  document.Each("/metadata/managedFields", [&](const element& entry) {
    if (MemberOf(entry, "manager") != "millrace-operator" ||
        MemberOf(entry, "operation") != "Apply" || !MemberOf(entry, "subresource").empty())
      return;
    element owned;
    if (entry["fieldsV1"].get(owned) == SUCCESS) fields = simdjson::minify(owned);
  });
  return fields;
}

CleanupState CleanupOf(const Document& document) {
  if (HasCondition(document, "Complete", "True")) return CleanupState::kDone;
  if (HasCondition(document, "Failed", "True")) return CleanupState::kFailed;
  return CleanupState::kRunning;
}

// How the worker ended, now or before its restart: what it wrote as its last message, see
// worker/runtime/last_words.h.
void ReadEnd(const element& end, PodRecord* pod) {
  int64_t code = 0;
  if (end["exitCode"].get(code) != SUCCESS) return;
  const std::string message(Trim(MemberOf(end, "message")));
  pod->completed |= code == 0 && message == "completed";
  if (code != 0)
    pod->failure = "exit code " + std::to_string(code) + " (" + MemberOf(end, "reason") + ")" +
                   (message.empty() ? "" : ": " + message);
}

// Of the reasons to wait, those of a start that is merely under way.
bool IsOnItsWay(const std::string& reason) {
  return reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing";
}

void ReadContainer(const element& container, PodRecord* pod) {
  int64_t restarts = 0;
  if (container["restartCount"].get(restarts) == SUCCESS) pod->restarts += restarts;
  for (const char* state : {"lastState", "state"}) {
    element end;
    if (container[state]["terminated"].get(end) == SUCCESS) ReadEnd(end, pod);
  }
  element wait;
  if (container["state"]["waiting"].get(wait) != SUCCESS) return;
  const std::string reason = MemberOf(wait, "reason");
  if (reason == "CrashLoopBackOff") {
    pod->crashing = !pod->failure.empty();
  } else if (!IsOnItsWay(reason)) {
    pod->failure = reason + ": " + MemberOf(wait, "message");
  }
}

}  // namespace

std::string ChildSelector() { return std::string(kUidLabel); }

Resource JobResource() { return {std::string(kApiVersion), "streamingjobs"}; }

Resource ResourceOf(Kind kind) {
  const std::string group_version = InfoOf(kind).api_version;
  switch (kind) {
    case Kind::kServiceAccount:
      return {group_version, "serviceaccounts"};
    case Kind::kConfigMap:
      return {group_version, "configmaps"};
    case Kind::kRevision:
      return {group_version, "controllerrevisions"};
    case Kind::kService:
      return {group_version, "services"};
    case Kind::kNetworkPolicy:
      return {group_version, "networkpolicies"};
    case Kind::kDisruptionBudget:
      return {group_version, "poddisruptionbudgets"};
    case Kind::kDeployment:
      return {group_version, "deployments"};
    case Kind::kPodMonitor:
      return {group_version, "podmonitors"};
    case Kind::kCleanupJob:
      return {group_version, "jobs"};
  }
  return {};
}

std::optional<JobRecord> ReadJobRecord(const RawObject& raw) {
  const Document document(raw.json);
  if (!document.ok() || raw.uid.empty()) return std::nullopt;
  JobRecord record;
  record.uid = raw.uid;
  record.resource_version = raw.resource_version;
  record.deleted_at = TimeOf(document.Text("/metadata/deletionTimestamp"));
  document.Each("/metadata/finalizers", [&](const element& name) {
    std::string_view text;
    if (name.get(text) == SUCCESS) record.finalizers.emplace_back(text);
  });
  record.json = Stripped(document.root());
  return record;
}

std::optional<ChildRecord> ReadChildRecord(const RawObject& raw) {
  const Document document(raw.json);
  if (!document.ok() || raw.uid.empty()) return std::nullopt;
  ChildRecord record;
  record.job = document.Mark("labels", kInstanceLabel);
  record.resource_version = raw.resource_version;
  record.owned = OwnedFields(document);
  record.object.uid = raw.uid;
  record.object.version = raw.resource_version;
  record.object.owner_uid = ControllerUid(document);
  record.object.job_label = document.Mark("labels", kUidLabel);
  record.object.content = document.Mark("annotations", kContentAnnotation);
  record.object.replicas = document.Int("/spec/replicas");
  record.object.deleting = document.Has("/metadata/deletionTimestamp");
  const bool current = document.Int("/status/observedGeneration").value_or(0) >=
                       document.Int("/metadata/generation").value_or(0);
  if (current) record.updated_replicas = document.Int("/status/updatedReplicas").value_or(0);
  record.cleanup = CleanupOf(document);
  return record;
}

std::optional<api::StreamingJobSpec> ReadRevision(const RawObject& raw) {
  const Document document(raw.json);
  element data;
  if (!document.ok() || document.root()["data"].get(data) != SUCCESS) return std::nullopt;
  api::JobDocument kept = api::ParseJob(simdjson::minify(data));
  if (api::HasErrors(kept.diagnostics)) return std::nullopt;
  return std::move(kept.job.spec);
}

std::optional<PodRecord> ReadPodRecord(const RawObject& raw) {
  const Document document(raw.json);
  if (!document.ok()) return std::nullopt;
  PodRecord pod;
  pod.job = document.Mark("labels", kInstanceLabel);
  pod.job_uid = document.Mark("labels", kUidLabel);
  pod.is_worker = document.Mark("labels", "app.kubernetes.io/component") == "worker";
  pod.ip = document.Text("/status/podIP");
  pod.ready = HasCondition(document, "Ready", "True");
  pod.deleting = document.Has("/metadata/deletionTimestamp");
  const std::string phase = document.Text("/status/phase");
  pod.finished = phase == "Succeeded" || phase == "Failed";
  pod.unschedulable = phase == "Pending" && HasCondition(document, "PodScheduled", "False");
  pod.revision = document.Mark("labels", kRevisionLabel);
  document.Each("/status/containerStatuses",
                [&](const element& container) { ReadContainer(container, &pod); });
  return pod;
}

}  // namespace millrace::controller
