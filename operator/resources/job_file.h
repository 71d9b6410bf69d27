#pragma once

#include <string>

#include "crds/api/spec.h"

namespace millrace::controller {

// The job as the workers read it: JSON, which the job file may be. Members that only the operator
// reads have their defaults, so scaling, suspending or moving a job leaves the file as it was; keys
// of ConfigMaps have become the paths where they are mounted. Pure.
std::string JobFile(const api::StreamingJob& job);

// Names what pods must be replaced for: ten hex digits of the SHA-256 of the job file with all hot
// fields at their defaults. Pure.
std::string RevisionOf(const api::StreamingJob& job);

}  // namespace millrace::controller
