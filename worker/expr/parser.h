#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "worker/expr/ast.h"
#include "worker/expr/program.h"

namespace millrace::worker {

inline constexpr size_t kMaxExprBytes = 100 << 10;
inline constexpr int kMaxNesting = 250;  // brackets and conditionals inside each other
inline constexpr int kMaxHeight = 1000;  // operators in a row

// Parses CEL text; macros become macro nodes. Nothing is resolved yet. On failure the first syntax
// error is appended to `errors` and nullptr returned. Pure.
std::unique_ptr<Ast> ParseExpr(std::string_view text, std::vector<ExprError>* errors);

}  // namespace millrace::worker
