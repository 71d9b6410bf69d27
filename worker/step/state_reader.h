#pragma once

#include <memory>

#include "worker/step/readable_step.h"
#include "worker/step/state_plan.h"

namespace millrace::worker {

// Reads the state of a `state` step: key fields, then those of the state. A state field with the
// name of a key field is called "state.<name>". Nullptr for keys that are not scalars. `plan`
// outlives it.
std::unique_ptr<KeyedOperator> MakeStateReader(const StatePlan& plan);

}  // namespace millrace::worker
