#pragma once

#include "operator/reconcile/world.h"

namespace millrace::controller {

// Whose an object with one of our names is.
//   kOurs      its controller is this job
//   kAdoptable it has no controller and carries this job's uid: applying it makes it ours
//   kForeign   anything else, an earlier job of the same name included: never written or deleted
enum class Ownership { kOurs, kAdoptable, kForeign };

// Names alone prove nothing. Pure.
Ownership OwnershipOf(const ObservedObject& object, const std::string& job_uid);

}  // namespace millrace::controller
