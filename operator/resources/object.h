#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "crds/api/spec.h"
#include "crds/base/json_writer.h"
#include "operator/resources/names.h"

namespace millrace::controller {

// The kinds a job owns, in the order in which they are applied: what others refer to comes first.
enum class Kind {
  kServiceAccount,
  kConfigMap,
  kRevision,
  kService,
  kNetworkPolicy,
  kDisruptionBudget,
  kDeployment,
  kPodMonitor,
  kCleanupJob,
};

struct KindInfo {
  const char* api_version;
  const char* kind;
};
KindInfo InfoOf(Kind kind);

struct ObjectKey {
  Kind kind = Kind::kConfigMap;
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
};
// "Deployment/word-count-workers".
std::string ToString(const ObjectKey& key);

// An object of the job's namespace as it should be. A value; equal inputs give equal bytes.
struct Object {
  ObjectKey key;
  std::string json;                 // the whole object, for a server-side apply
  std::string content;              // digest of it, also in its annotation kContentAnnotation
  std::optional<int64_t> replicas;  // of a Deployment
};

struct ObjectHead {
  ObjectKey key;
  Component component = Component::kWorker;
};

// The object with name, namespace, labels, digest and owner; `members` writes all beside
// apiVersion, kind and metadata into the open JSON object. Pure.
Object MakeObject(const api::ObjectMeta& job, const ObjectHead& head,
                  const std::function<void(JsonWriter*)>& members);

}  // namespace millrace::controller
