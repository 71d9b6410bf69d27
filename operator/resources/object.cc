#include "operator/resources/object.h"

#include "crds/base/text.h"
#include "operator/resources/json_parts.h"

namespace millrace::controller {
namespace {

constexpr size_t kContentDigits = 16;

void WriteOwner(JsonWriter* out, const api::ObjectMeta& job) {
  Sequence(out, "ownerReferences", [&] {
    Element(out, [&] {
      Text(out, "apiVersion", kApiVersion);
      Text(out, "kind", kJobKind);
      Text(out, "name", job.name);
      Text(out, "uid", job.uid);
      Flag(out, "controller", true);
      Flag(out, "blockOwnerDeletion", true);
    });
  });
}

// With an empty digest.
std::string Write(const api::ObjectMeta& job, const ObjectHead& head,
                  const std::function<void(JsonWriter*)>& members) {
  JsonWriter out;
  const KindInfo info = InfoOf(head.key.kind);
  Element(&out, [&] {
    Text(&out, "apiVersion", info.api_version);
    Text(&out, "kind", info.kind);
    Group(&out, "metadata", [&] {
      Text(&out, "name", head.key.name);
      Text(&out, "namespace", job.ns);
      TextMap(&out, "labels", ObjectLabels(job, head.component));
      TextMap(&out, "annotations", {{std::string(kContentAnnotation), ""}});
      WriteOwner(&out, job);
    });
    members(&out);
  });
  return out.Take();
}

}  // namespace

KindInfo InfoOf(Kind kind) {
  switch (kind) {
    case Kind::kServiceAccount:
      return {"v1", "ServiceAccount"};
    case Kind::kConfigMap:
      return {"v1", "ConfigMap"};
    case Kind::kRevision:
      return {"apps/v1", "ControllerRevision"};
    case Kind::kService:
      return {"v1", "Service"};
    case Kind::kNetworkPolicy:
      return {"networking.k8s.io/v1", "NetworkPolicy"};
    case Kind::kDisruptionBudget:
      return {"policy/v1", "PodDisruptionBudget"};
    case Kind::kDeployment:
      return {"apps/v1", "Deployment"};
    case Kind::kPodMonitor:
      return {"monitoring.coreos.com/v1", "PodMonitor"};
    case Kind::kCleanupJob:
      return {"batch/v1", "Job"};
  }
  return {"", ""};
}

std::string ToString(const ObjectKey& key) {
  return std::string(InfoOf(key.kind).kind) + "/" + key.name;
}

Object MakeObject(const api::ObjectMeta& job, const ObjectHead& head,
                  const std::function<void(JsonWriter*)>& members) {
  std::string json = Write(job, head, members);
  const std::string content = HexEncode(Sha256(json)).substr(0, kContentDigits);
  // Our metadata comes first, so the first match is the annotation and no text of a user.
  const std::string empty = JsonQuote(kContentAnnotation) + ":\"";
  json.insert(json.find(empty) + empty.size(), content);
  return {.key = head.key, .json = json, .content = content, .replicas = std::nullopt};
}

}  // namespace millrace::controller
