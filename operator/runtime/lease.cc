#include "operator/runtime/lease.h"

#include <simdjson.h>

#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace::controller {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::element;

std::string TextOf(const element& spec, std::string_view name) {
  std::string_view text;
  return spec[name].get(text) == SUCCESS ? std::string(text) : "";
}

int64_t IntOf(const element& spec, std::string_view name) {
  int64_t value = 0;
  return spec[name].get(value) == SUCCESS ? value : 0;
}

void WriteMember(std::string_view key, const std::string& value, JsonWriter* out) {
  if (value.empty()) return;
  out->Key(key);
  out->String(value);
}

}  // namespace

Result<LeaseRecord> ReadLease(const RawObject& object) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(object.json).get(root) != SUCCESS)
    return InternalError("the lease cannot be read: " + Excerpt(object.json));
  LeaseRecord lease;
  lease.resource_version = object.resource_version;
  element spec;
  if (root["spec"].get(spec) != SUCCESS) return lease;
  lease.holder = TextOf(spec, "holderIdentity");
  lease.duration_seconds = IntOf(spec, "leaseDurationSeconds");
  lease.acquired = TextOf(spec, "acquireTime");
  lease.renewed = TextOf(spec, "renewTime");
  lease.transitions = IntOf(spec, "leaseTransitions");
  return lease;
}

std::string WriteLease(const std::string& ns, const std::string& name, const LeaseRecord& lease) {
  JsonWriter out;
  out.BeginObject();
  WriteMember("apiVersion", "coordination.k8s.io/v1", &out);
  WriteMember("kind", "Lease", &out);
  out.Key("metadata");
  out.BeginObject();
  WriteMember("name", name, &out);
  WriteMember("namespace", ns, &out);
  WriteMember("resourceVersion", lease.resource_version, &out);
  out.EndObject();
  out.Key("spec");
  out.BeginObject();
  out.Key("holderIdentity");
  out.String(lease.holder);
  out.Key("leaseDurationSeconds");
  out.Int(lease.duration_seconds);
  WriteMember("acquireTime", lease.acquired, &out);
  WriteMember("renewTime", lease.renewed, &out);
  out.Key("leaseTransitions");
  out.Int(lease.transitions);
  out.EndObject();
  out.EndObject();
  return out.Take();
}

LeaseMove Decide(const LeaseRecord& lease, const std::string& identity, Duration unchanged_for) {
  if (lease.holder == identity && !lease.resource_version.empty()) return LeaseMove::kRenew;
  if (lease.resource_version.empty() || lease.holder.empty()) return LeaseMove::kTake;
  return unchanged_for >= std::chrono::seconds(lease.duration_seconds) ? LeaseMove::kTake
                                                                       : LeaseMove::kWait;
}

}  // namespace millrace::controller
