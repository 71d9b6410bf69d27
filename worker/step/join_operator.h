#pragma once

#include <memory>

#include "worker/step/join_plan.h"

namespace millrace::worker {

// One key group of a join. `plan` outlives it.
//
// Symmetric hash join (Wilschut and Apers, "Dataflow query execution in a parallel main-memory
// environment", 1991): each arriving row meets the rows of the other side that came before it.
// Tumbling windows wait and join as a whole. O(rows + pairs) a batch; rows that nobody can meet any
// more leave when the watermark passes. Output: pairs in order of arrival, left rows first; then
// rows without a partner.
std::unique_ptr<KeyedOperator> MakeJoinOperator(const JoinPlan& plan);

}  // namespace millrace::worker
