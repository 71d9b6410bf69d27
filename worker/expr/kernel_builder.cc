#include <algorithm>

#include "worker/expr/column_value.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/kernel.h"
#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

// True when microseconds hold the value.
bool IsExact(const Value& value) {
  return !(value.is_timestamp() || value.is_duration()) || value.nanos() % 1000 == 0;
}

// Evaluates its expression row by row.
class FallbackNode final : public KernelNode {
 public:
  explicit FallbackNode(const Expr& expr) : KernelNode(expr.type.AsNullable()), expr_(expr) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    RowEvaluator& evaluator = *context.fallback();
    ColumnWriter writer(type());
    SlowRows slow;
    for (size_t row = 0; row < context.rows(); ++row) {
      evaluator.Reset();
      const Value value = evaluator.Evaluate(expr_, context.BatchRow(row));
      const bool usable = !value.is_error() && IsExact(value);
      if (usable && writer.Append(evaluator.arena(), value).ok()) continue;
      slow.resize(context.rows());
      slow[row] = 1;
      writer.AppendNull();
    }
    return {writer.Take(), false, std::move(slow)};
  }
  bool expensive() const override { return true; }

 private:
  const Expr& expr_;
};

bool IsConstant(const Expr& expr) {
  if (expr.kind == ExprKind::kMacro ||
      (expr.kind == ExprKind::kIdent && expr.binding != Binding::kType))
    return false;
  if (expr.kind == ExprKind::kSelect && expr.binding == Binding::kTable) return false;
  return std::ranges::all_of(expr.args, [](const ExprPtr& arg) { return IsConstant(*arg); });
}

// Turns a checked expression into nodes, bottom up. Every method gives nullptr where there is no
// kernel.
class KernelBuilder {
 public:
  explicit KernelBuilder(RowEvaluator* constants) : constants_(constants) {}

  KernelNodePtr Build(const Expr& expr) {
    if (IsConstant(expr)) return BuildConstant(expr);
    switch (expr.kind) {
      case ExprKind::kIdent:
        if (expr.binding != Binding::kField) return nullptr;
        return MakeFieldNode(static_cast<size_t>(expr.index), expr.type);
      case ExprKind::kSelect:
        return BuildSelect(expr);
      case ExprKind::kCall:
        return expr.op == Op::kNone ? BuildFunction(expr) : BuildOperator(expr);
      case ExprKind::kLiteral:
      case ExprKind::kList:
      case ExprKind::kMap:
      case ExprKind::kMacro:
        return nullptr;
    }
    return nullptr;
  }

 private:
  // The kernel of an operand, or its evaluation row by row where a column can hold the values.
  KernelNodePtr BuildOperand(const Expr& expr) {
    if (KernelNodePtr node = Build(expr)) return node;
    const bool container = expr.type.kind() == Kind::kList || expr.type.kind() == Kind::kMap ||
                           expr.type.kind() == Kind::kStruct;
    if (!IsColumnType(expr.type) || (container && HoldsTime(expr.type))) return nullptr;
    return std::make_unique<FallbackNode>(expr);
  }

  bool BuildOperands(const Expr& expr, Nodes* nodes) {
    for (const ExprPtr& arg : expr.args) {
      KernelNodePtr node = BuildOperand(*arg);
      if (node == nullptr) return false;
      nodes->push_back(std::move(node));
    }
    return true;
  }

  KernelNodePtr BuildConstant(const Expr& expr) {
    constants_->Reset();
    const Value value = constants_->Evaluate(expr, 0);
    if (value.is_null()) {
      auto null = std::make_shared<Column>(Type(Kind::kNull));
      null->AppendNull();
      return std::make_unique<ConstantNode>(std::move(null));
    }
    const bool container = value.is_list() || value.is_map() || value.is_struct();
    if (value.is_error() || !IsExact(value) || !IsColumnType(expr.type) ||
        (container && HoldsTime(expr.type)))
      return nullptr;
    ColumnWriter writer(expr.type);
    if (!writer.Append(constants_->arena(), value).ok()) return nullptr;
    return std::make_unique<ConstantNode>(writer.Take());
  }

  KernelNodePtr BuildSelect(const Expr& expr) {
    if (expr.optional || expr.binding == Binding::kTable) return nullptr;
    const Type& operand = expr.args[0]->type;
    if (operand.kind() == Kind::kStruct && expr.index >= 0) {
      KernelNodePtr object = Build(*expr.args[0]);
      if (object == nullptr || object->kind() != Kind::kStruct) return nullptr;
      const auto member = static_cast<size_t>(expr.index);
      return expr.test_only ? MakePresence(std::move(object), member)
                            : MakeMember(std::move(object), member);
    }
    if (operand.kind() != Kind::kMap || expr.test_only) return nullptr;
    Nodes nodes;
    nodes.push_back(BuildOperand(*expr.args[0]));
    if (nodes[0] == nullptr) return nullptr;
    auto key = std::make_shared<Column>(Type(Kind::kString));
    auto arena = std::make_shared<Arena>();
    key->AppendView(arena->Copy(expr.name));
    key->AddOwner(std::move(arena));
    nodes.push_back(std::make_unique<ConstantNode>(std::move(key)));
    return MakeIndex(std::move(nodes));
  }

  KernelNodePtr BuildOperator(const Expr& expr) {
    Nodes nodes;
    if (expr.optional || !BuildOperands(expr, &nodes)) return nullptr;
    switch (expr.op) {
      case Op::kConditional:
        return MakeConditional(expr.type, std::move(nodes));
      case Op::kAnd:
      case Op::kOr:
      case Op::kNot:
        return MakeLogic(expr.op, std::move(nodes));
      case Op::kNegate:
      case Op::kAdd:
      case Op::kSubtract:
      case Op::kMultiply:
      case Op::kDivide:
      case Op::kModulo:
        return MakeArithmetic(expr.op, expr.type, std::move(nodes));
      case Op::kEqual:
      case Op::kNotEqual:
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        return MakeComparison(expr.op, std::move(nodes));
      case Op::kIn:
        return MakeIn(std::move(nodes));
      case Op::kIndex:
        return MakeIndex(std::move(nodes));
      case Op::kNone:
        return nullptr;
    }
    return nullptr;
  }

  KernelNodePtr BuildFunction(const Expr& expr) {
    Nodes nodes;
    if (!BuildOperands(expr, &nodes)) return nullptr;
    if (expr.name == "coalesce") return MakeCoalesce(expr.type, std::move(nodes));
    for (const auto make : {MakeStringCall, MakeSplitCall, MakeMathCall, MakeTimeCall,
                            MakeConversionCall, MakeHashCall}) {
      if (KernelNodePtr node = make(expr, &nodes)) return node;
    }
    return nullptr;
  }

  RowEvaluator* constants_;
};

}  // namespace

Kernel::Kernel(std::unique_ptr<const KernelNode> root) : root_(std::move(root)) {}
Kernel::~Kernel() = default;

const Type& Kernel::type() const { return root_->type(); }

std::unique_ptr<const Kernel> Kernel::Build(const Expr& root, RowEvaluator* constants) {
  KernelNodePtr node = KernelBuilder(constants).Build(root);
  if (node == nullptr || node->kind() == Kind::kNull) return nullptr;
  return std::unique_ptr<const Kernel>(new Kernel(std::move(node)));
}

KernelResult Kernel::Run(size_t rows, std::span<const ColumnRef> fields,
                         RowEvaluator* fallback) const {
  const KernelContext context(rows, fields, fallback);
  const KernelVector vector = root_->Evaluate(context);
  KernelResult result{Materialise(vector, rows), {}};
  for (size_t row = 0; row < vector.slow.size(); ++row) {
    if (vector.slow[row] != 0) result.slow_rows.push_back(static_cast<uint32_t>(row));
  }
  return result;
}

}  // namespace millrace::worker
