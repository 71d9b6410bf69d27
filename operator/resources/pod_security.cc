#include "operator/resources/json_parts.h"
#include "operator/resources/pod_template.h"

// The Restricted level of the pod security standards, and a root file system nobody writes to.
namespace millrace::controller {

void WritePodSecurity(JsonWriter* out, int64_t user_id) {
  Flag(out, "automountServiceAccountToken", false);
  Flag(out, "enableServiceLinks", false);
  Group(out, "securityContext", [&] {
    Flag(out, "runAsNonRoot", true);
    Number(out, "runAsUser", user_id);
    Number(out, "runAsGroup", user_id);
    Number(out, "fsGroup", user_id);
    Text(out, "fsGroupChangePolicy", "OnRootMismatch");
    Group(out, "seccompProfile", [&] { Text(out, "type", "RuntimeDefault"); });
  });
}

void WriteContainerSecurity(JsonWriter* out) {
  Group(out, "securityContext", [&] {
    Flag(out, "allowPrivilegeEscalation", false);
    Flag(out, "readOnlyRootFilesystem", true);
    Group(out, "capabilities", [&] { Sequence(out, "drop", [&] { out->String("ALL"); }); });
  });
}

}  // namespace millrace::controller
