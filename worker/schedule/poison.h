#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "worker/coordination/batch_plan.h"
#include "worker/source/source.h"

namespace millrace::worker {

// Records of a planned range, read without being decoded. Errors: of the source.
Result<int64_t> CountRange(Source* source, const PlannedRange& range);

// What a plan leaves out of one source: partition -> record number in its range -> message. Pure.
std::map<int, std::map<int64_t, std::string>> ExclusionsOf(const BatchPlan& plan,
                                                           const std::string& source);

}  // namespace millrace::worker
