#pragma once

#include <functional>
#include <memory>

#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

// What every JobStore must do, check by check; run against the model and against a real server.
// Returns the first difference, empty when there is none. `make` gives a store of a job that does
// not exist yet.
std::string CheckJobStore(const std::function<std::unique_ptr<JobStore>()>& make);

}  // namespace millrace::worker
