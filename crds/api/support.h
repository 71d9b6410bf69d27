#pragma once

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"

namespace millrace::api {

// Refuses, one error each, the parts of a valid job that this build cannot run, so that nothing is
// ignored without a word. `state.redis` is not among them: a local run replaces it with --state.
// Pure.
void RefuseUnsupported(const StreamingJob& job, Diagnostics* out);

}  // namespace millrace::api
