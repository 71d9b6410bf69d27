#pragma once

#include <memory>

#include "worker/step/state_plan.h"

namespace millrace::worker {

// State of one key group of a `state` step. `plan` outlives it.
//
// The records of a batch run in waves: wave k holds the k-th record of every key, so that expressions run on columns although each
// record sees the state that the one before it left. Complexity: one evaluation of each expression per wave; as many waves as the
// busiest key has records. Rows leave in order of arrival, then timeouts in order of encoded keys.
std::unique_ptr<KeyedOperator> MakeStateOperator(const StatePlan& plan);

}  // namespace millrace::worker
