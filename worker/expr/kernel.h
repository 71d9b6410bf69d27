#pragma once

#include <memory>
#include <span>
#include <vector>

#include "worker/data/column.h"
#include "worker/expr/ast.h"
#include "worker/expr/value.h"

namespace millrace::worker {

// Evaluates checked expressions one row at a time: what kernels fall back to. Thread-compatible.
class RowEvaluator {
 public:
  virtual ~RowEvaluator() = default;
  // The value of `expr`, which has no free macro variables, at row `row` of the batch. Valid until
  // Reset.
  virtual Value Evaluate(const Expr& expr, size_t row) = 0;
  // Where the values live.
  virtual ValueArena* arena() = 0;
  // Frees the memory of all values.
  virtual void Reset() = 0;
};

// Values of all rows but `slow_rows` (ascending), which the caller evaluates one by one. Their
// values in `column` are zero or null.
struct KernelResult {
  ColumnRef column;
  std::vector<uint32_t> slow_rows;
};

class KernelNode;

// A checked expression compiled to loops over columns. A row where a loop meets anything out of the
// ordinary (an error, a null operand, a value that microseconds cannot hold) is not decided here
// but listed as slow, so messages and odd cases have one definition: the general evaluator. A slow
// operand that && || or ?: does not need leaves no trace. Immutable; Run is thread-safe. The
// expression must outlive the kernel.
class Kernel {
 public:
  // nullptr when the root of the expression has no kernel. `constants` evaluates sub-expressions
  // without fields once.
  static std::unique_ptr<const Kernel> Build(const Expr& root, RowEvaluator* constants);
  ~Kernel();

  // Type of the column but for its outer nullability; kDyn stands for json.
  const Type& type() const;
  // `fields` are the columns of ExprEnv::fields, each of `rows` rows. `fallback` evaluates
  // sub-expressions without a kernel.
  KernelResult Run(size_t rows, std::span<const ColumnRef> fields, RowEvaluator* fallback) const;

 private:
  explicit Kernel(std::unique_ptr<const KernelNode> root);
  std::unique_ptr<const KernelNode> root_;
};

}  // namespace millrace::worker
