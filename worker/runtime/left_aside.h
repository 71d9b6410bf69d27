#pragma once

#include <string>
#include <vector>

#include "crds/api/spec.h"

namespace millrace::worker {

// Fields of the job that a local run has no use for (docs/cli.md) and that are set to something
// other than their default, as "spec.workers", in the order of the reference. Pure.
std::vector<std::string> FieldsLeftAside(const api::StreamingJobSpec& spec);

}  // namespace millrace::worker
