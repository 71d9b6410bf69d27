#pragma once

#include <memory>

#include "worker/step/step.h"

namespace millrace::worker {

// A narrow step that keeps exactly the fields of `target`, by name. Requires: the input has them
// with equal types.
std::unique_ptr<NarrowStep> MakeProjectStep(SchemaRef target);

}  // namespace millrace::worker
