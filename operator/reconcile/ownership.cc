#include "operator/reconcile/ownership.h"

namespace millrace::controller {

Ownership OwnershipOf(const ObservedObject& object, const std::string& job_uid) {
  if (object.owner_uid == job_uid) return Ownership::kOurs;
  if (object.owner_uid.empty() && object.job_label == job_uid) return Ownership::kAdoptable;
  return Ownership::kForeign;
}

}  // namespace millrace::controller
