#pragma once

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"

namespace millrace::controller {

// What a valid job must keep besides, to run in a cluster without reaching beyond its namespace and
// its pods: state in Redis, no mount over files of the system or of ours, no label or annotation of
// a domain that other controllers act upon (some grant privileges), no name that is not an object
// name. One error each. Pure.
api::Diagnostics CheckForCluster(const api::StreamingJob& job);

}  // namespace millrace::controller
