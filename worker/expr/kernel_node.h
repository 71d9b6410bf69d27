#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "worker/data/column.h"
#include "worker/expr/ast.h"
#include "worker/expr/kernel.h"

// The parts of kernel.h: nodes and the values between them.
namespace millrace::worker {

// Flags per row, 1 where the general evaluator must decide; empty when there is no such row.
using SlowRows = std::vector<uint8_t>;

// What a node yields: one value per row, or one value for all.
struct KernelVector {
  ColumnRef column;
  bool constant = false;  // `column` has one row
  SlowRows slow;

  const Column* operator->() const { return column.get(); }
  bool IsNull(size_t row) const { return column->IsNull(constant ? 0 : row); }
  bool IsSlow(size_t row) const { return !slow.empty() && slow[row] != 0; }
};

// The rows of one run: all of the batch, or some of them where && || ?: narrow the work.
class KernelContext {
 public:
  KernelContext(size_t rows, std::span<const ColumnRef> fields, RowEvaluator* fallback)
      : rows_(rows), fields_(fields), fallback_(fallback) {}
  // The given rows of `parent`, which must outlive this.
  KernelContext(const KernelContext& parent, std::vector<uint32_t> rows);

  size_t rows() const { return rows_; }
  ColumnRef Field(size_t index) const;
  // Row of the batch.
  size_t BatchRow(size_t row) const { return whole() ? row : selected_[row]; }
  RowEvaluator* fallback() const { return fallback_; }

 private:
  bool whole() const { return parent_ == nullptr; }

  size_t rows_;
  std::span<const ColumnRef> fields_;
  RowEvaluator* fallback_;
  const KernelContext* parent_ = nullptr;
  std::vector<uint32_t> selected_;           // rows of the batch
  mutable std::vector<ColumnRef> gathered_;  // by field, made at first use
};

// One operation over columns. Immutable; Evaluate is thread-safe. Results hold physical values for
// every row, slow or not.
class KernelNode {
 public:
  explicit KernelNode(Type type) : type_(std::move(type)) {}
  virtual ~KernelNode() = default;
  virtual KernelVector Evaluate(const KernelContext& context) const = 0;
  // nullptr unless the node is a constant.
  virtual const Column* constant() const { return nullptr; }
  // True where evaluating fewer rows pays for selecting them.
  virtual bool expensive() const { return false; }

  const Type& type() const { return type_; }
  Kind kind() const { return type_.kind(); }

 private:
  Type type_;
};
using KernelNodePtr = std::unique_ptr<const KernelNode>;

class ConstantNode final : public KernelNode {
 public:
  explicit ConstantNode(ColumnRef value) : KernelNode(value->type()), value_(std::move(value)) {}
  KernelVector Evaluate(const KernelContext&) const override { return {value_, true, {}}; }
  const Column* constant() const override { return value_.get(); }

 private:
  ColumnRef value_;
};

// Arguments of one strict call: rows with a null or slow argument are slow already.
struct StrictCall {
  size_t rows = 0;
  std::vector<KernelVector> args;
  SlowRows* slow = nullptr;

  const KernelVector& operator[](size_t i) const { return args[i]; }
  bool IsSlow(size_t row) const { return !slow->empty() && (*slow)[row] != 0; }
  void MarkSlow(size_t row) const {
    if (slow->empty()) slow->resize(rows);
    (*slow)[row] = 1;
  }
};
// Fills `out` with a value for each row (any value where slow).
using StrictBody = std::function<void(const StrictCall& call, Column* out)>;

// A call whose result is an error when an argument is an error or null.
KernelNodePtr MakeStrict(Type type, std::vector<KernelNodePtr> args, StrictBody body,
                         bool expensive = false);

// Adds the slow rows of `vector` to `slow`; with `nulls`, its null rows as well.
void AddSlow(const KernelVector& vector, size_t rows, bool nulls, SlowRows* slow);
// The value for every row; a constant is repeated.
ColumnRef Materialise(const KernelVector& vector, size_t rows);

// True for types that a column holds exactly as the evaluator's values, micro-second times aside.
bool IsColumnType(const Type& type);
bool HoldsTime(const Type& type);

// ---- loops: an operand is an array or one value for all rows ----

template <typename A, typename Out, typename F>
void UnaryLoop(size_t rows, const A* a, bool a_constant, Out* __restrict out, F f) {
  if (a_constant) {
    const Out value = f(a[0]);
    for (size_t i = 0; i < rows; ++i) out[i] = value;
  } else {
    for (size_t i = 0; i < rows; ++i) out[i] = f(a[i]);
  }
}

template <typename A, typename B, typename Out, typename F>
void BinaryLoop(size_t rows, const A* a, bool a_constant, const B* b, bool b_constant,
                Out* __restrict out, F f) {
  if (rows == 0) return;
  if (b_constant) {
    const B right = b[0];
    if (a_constant) {
      const A left = a[0];
      for (size_t i = 0; i < rows; ++i) out[i] = f(left, right);
    } else {
      for (size_t i = 0; i < rows; ++i) out[i] = f(a[i], right);
    }
  } else if (a_constant) {
    const A left = a[0];
    for (size_t i = 0; i < rows; ++i) out[i] = f(left, b[i]);
  } else {
    for (size_t i = 0; i < rows; ++i) out[i] = f(a[i], b[i]);
  }
}

// The array of a column's physical values.
template <typename T>
const T* ValuesOf(const Column& column);
template <>
inline const uint8_t* ValuesOf<uint8_t>(const Column& column) {
  return column.bools.data();
}
template <>
inline const int64_t* ValuesOf<int64_t>(const Column& column) {
  return column.ints.data();
}
template <>
inline const uint64_t* ValuesOf<uint64_t>(const Column& column) {
  return column.uints.data();
}
template <>
inline const double* ValuesOf<double>(const Column& column) {
  return column.doubles.data();
}
template <>
inline const std::string_view* ValuesOf<std::string_view>(const Column& column) {
  return column.strings.data();
}

// ---- families: nullptr where this one has no kernel for the call ----

using Nodes = std::vector<KernelNodePtr>;
KernelNodePtr MakeFieldNode(size_t index, Type type);
KernelNodePtr MakeLogic(Op op, Nodes args);
KernelNodePtr MakeConditional(const Type& type, Nodes args);
KernelNodePtr MakeCoalesce(const Type& type, Nodes args);
KernelNodePtr MakeComparison(Op op, Nodes args);
KernelNodePtr MakeIn(Nodes args);
KernelNodePtr MakeArithmetic(Op op, const Type& type, Nodes args);
KernelNodePtr MakeMember(KernelNodePtr object, size_t member);
KernelNodePtr MakePresence(KernelNodePtr object, size_t member);
KernelNodePtr MakeIndex(Nodes args);
// Functions by name; the receiver is args[0].
KernelNodePtr MakeStringCall(const Expr& call, Nodes* args);
KernelNodePtr MakeSplitCall(const Expr& call, Nodes* args);
KernelNodePtr MakeMathCall(const Expr& call, Nodes* args);
KernelNodePtr MakeTimeCall(const Expr& call, Nodes* args);
KernelNodePtr MakeConversionCall(const Expr& call, Nodes* args);
KernelNodePtr MakeHashCall(const Expr& call, Nodes* args);

}  // namespace millrace::worker
