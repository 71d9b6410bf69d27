#pragma once

#include <set>
#include <string>
#include <vector>

#include "crds/api/spec.h"

namespace millrace::worker {

// Every CEL text of a step, in no order.
std::vector<std::string> ExpressionsOf(const api::StepKind& kind);
std::vector<std::string> ExpressionsOf(const api::Sink& sink);
// Fields of its input that a step names outside of expressions: keys, dropped fields.
std::vector<std::string> FieldsNamedBy(const api::StepKind& kind);

// True when the step reads the table: as a look-up, as initial state, or by `tables.<name>` in an
// expression.
bool ReadsTable(const api::StepKind& kind, const std::string& table);
// Tables that some expression of the job reads as a list (`tables.<name>`).
std::set<std::string> TablesReadAsLists(const api::StreamingJob& job);

}  // namespace millrace::worker
