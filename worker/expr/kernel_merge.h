#pragma once

#include <vector>

#include "worker/expr/kernel.h"

namespace millrace::worker {

// Adds null rows to the slow rows when `type` has no null, and rows that hold the JSON text null,
// which CEL takes for null.
void AddDoubtfulRows(const Type& type, KernelResult* result);
// The kernel's column as a column of `type`. Requires: the same physical type.
ColumnRef AsType(ColumnRef column, const Type& type);
// The kernel's column with row i of `slow` in place of its slow row i. Requires: `slow` has a row
// for each slow row.
ColumnRef MergeSlowRows(const KernelResult& result, const Column& slow);
// Rows of a bool result that are true and not slow.
std::vector<uint32_t> TrueRows(const KernelResult& result);

}  // namespace millrace::worker
