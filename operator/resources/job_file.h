#pragma once

#include <string>

#include "crds/api/spec.h"

namespace millrace::controller {

// The job as the workers read it: JSON, which the job file may be. Members that only the operator
// reads have their defaults, so scaling, suspending or moving a job leaves the file as it was; keys
// of ConfigMaps have become the paths where they are mounted; metadata.generation is the job's, by
// which workers tell the newer file. Pure.
std::string JobFile(const api::StreamingJob& job);

}  // namespace millrace::controller
