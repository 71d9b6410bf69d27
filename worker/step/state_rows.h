#pragma once

#include <cstdint>
#include <vector>

#include "worker/data/raw_records.h"

// Row lists of a `state` step.
namespace millrace::worker {

// Rows below `size` that no error names.
std::vector<uint32_t> WithoutErrors(size_t size, const std::vector<BadRecord>& errors);

// values[positions[i]], one by one.
std::vector<uint32_t> Pick(const std::vector<uint32_t>& values,
                           const std::vector<uint32_t>& positions);

}  // namespace millrace::worker
