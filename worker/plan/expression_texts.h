#pragma once

#include <set>
#include <string>

#include "crds/api/spec.h"

namespace millrace::worker {

// True when the step reads the table: as a look-up, as initial state, or by `tables.<name>` in an expression.
bool ReadsTable(const api::StepKind& kind, const std::string& table);
// Tables that some expression of the job reads as a list (`tables.<name>`).
std::set<std::string> TablesReadAsLists(const api::StreamingJob& job);

}  // namespace millrace::worker
