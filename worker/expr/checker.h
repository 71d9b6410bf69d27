#pragma once

#include <vector>

#include "worker/expr/ast.h"
#include "worker/expr/program.h"

namespace millrace::worker {

enum class CheckMode {
  kStrict,   // what programs use: every error is reported
  kDynamic,  // nothing is refused: unknown names and types fail when evaluated
};

// Resolves names and infers types over a parsed expression: fills the lower part of every node.
// With `expected`, open types
// ([] alone) take theirs from it. Returns false when there were errors; all of them are appended to
// `errors`, in text order. Pure but for the tree.
bool CheckExpr(Ast* ast, const ExprEnv& env, CheckMode mode, const Type* expected,
               std::vector<ExprError>* errors);

}  // namespace millrace::worker
