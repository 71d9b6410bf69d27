#pragma once

#include <vector>

#include "worker/data/raw_records.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// The elements of JSON arrays as a list<json> column whose views share the input's memory; a null
// row or JSON null is an empty list. A row that is not an array gets an empty list and an entry in
// `errors`. Requires: a json column (well-formed texts).
ColumnRef SplitJsonArrays(const Column& values, std::vector<BadRecord>* errors);

}  // namespace millrace::worker
