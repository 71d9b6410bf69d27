#pragma once

#include <string>
#include <vector>

#include "worker/expr/ast.h"
#include "worker/expr/program.h"

namespace millrace::worker {

// The record fields that a checked expression reads, each path once, in order of first use. A path
// ends where structs end. `x == null`, `x != null` and `has(x.y)` only look at presence.
std::vector<FieldUse> CollectUses(const Expr& root);
// Positions in ExprEnv::fields, ascending, and names of tables that are read.
std::vector<int> UsedFields(const Expr& root);
std::vector<int> UsedTables(const Expr& root);

}  // namespace millrace::worker
