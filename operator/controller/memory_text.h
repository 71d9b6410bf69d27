#pragma once

#include <string>

#include "operator/reconcile/world.h"

namespace millrace::controller {

// The planner's memory as status.memory keeps it: JSON, version 1, so that whoever leads next goes
// on where the last one ended. Pure.
//
//   {"v":1, "applied":{field:digest}, "announced":N, "completedAt":T, "completedRevision":R,
//    "scaling":{"workers":N, "lastWindow":T, "needs":[[T,N],...], "reason":S},
//    "rollout":{"revision":R, "number":N, "since":T, "good":R, "refused":R, "history":[R,...]},
//    "restarts":{"count":N, "seen":N, "last":T, "gaveUp":N}}
std::string WriteMemory(const Memory& memory);
// Text of another version, or none, is an empty memory: then the job is planned as a new one, which
// changes nothing where all is as it should be.
Memory ReadMemory(const std::string& text);

}  // namespace millrace::controller
