#pragma once

#include <string>

#include "crds/api/spec.h"

namespace millrace::controller {

// The job as the workers read it: JSON, which the job file may be. Members that only the operator
// reads have their defaults, so scaling, suspending or moving a job leaves the file as it was; keys
// of ConfigMaps have become the paths where they are mounted. Pure.
std::string JobFile(const api::StreamingJob& job);

// Names the version of a job file: ten hex digits of its SHA-256. Pure.
std::string RevisionOf(const std::string& job_file);

}  // namespace millrace::controller
