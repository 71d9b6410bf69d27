#pragma once

#include <span>
#include <vector>

#include "worker/expr/evaluator.h"
#include "worker/expr/kernel.h"

namespace millrace::worker {

// The general evaluator over the rows of one batch, for kernels. Thread-compatible; refers to all
// it is given.
class EvaluatorRows final : public RowEvaluator {
 public:
  EvaluatorRows(Evaluator* evaluator, std::span<const Column* const> columns,
                std::span<const Value> tables)
      : evaluator_(evaluator), columns_(columns), tables_(tables) {}

  Value Evaluate(const Expr& expr, size_t row) override {
    return evaluator_->RunNode(expr,
                               {.columns = columns_, .row = row, .values = {}, .tables = tables_});
  }
  ValueArena* arena() override { return &evaluator_->context().arena(); }
  // Each evaluation begins with fresh memory.
  void Reset() override {}

 private:
  Evaluator* evaluator_;
  std::span<const Column* const> columns_;
  std::span<const Value> tables_;
};

}  // namespace millrace::worker
