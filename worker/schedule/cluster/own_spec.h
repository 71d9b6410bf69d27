#pragma once

#include "crds/api/spec.h"
#include "worker/coordination/cluster/spec_edit.h"
#include "worker/plan/job_plan.h"

namespace millrace::worker {

// What the coordination of several workers needs to know of the job that this process was started
// with. Pure.
OwnSpec OwnSpecOf(const api::StreamingJob& job, const JobPlan& plan);

}  // namespace millrace::worker
