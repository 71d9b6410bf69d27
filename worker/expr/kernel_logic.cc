#include <algorithm>
#include <numeric>

#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

// Narrowing pays when at most this share of the rows is left.
constexpr double kNarrowBelow = 0.7;

// The values of some rows, spread over all: rows[i] gets value i, the others zero or null.
KernelVector Spread(const KernelVector& some, std::span<const uint32_t> rows, size_t size) {
  KernelVector all;
  if (!some.slow.empty()) {
    all.slow.resize(size);
    for (size_t i = 0; i < rows.size(); ++i) all.slow[rows[i]] = some.slow[i];
  }
  if (some.constant) {
    all.column = some.column;
    all.constant = true;
    return all;
  }
  // One row of padding at the end stands for all rows that were left out.
  Column padded(some->type());
  padded.AppendAll(*some.column);
  padded.AppendMissing();
  std::vector<uint32_t> from(size, static_cast<uint32_t>(rows.size()));
  for (size_t i = 0; i < rows.size(); ++i) from[rows[i]] = static_cast<uint32_t>(i);
  all.column = Gather(padded, from);
  return all;
}

// Evaluates `node` where `wanted` is set; other rows hold zero or null and are not slow if the node
// is expensive.
KernelVector EvaluateWhere(const KernelNode& node, const KernelContext& context,
                           const std::vector<uint8_t>& wanted) {
  if (!node.expensive()) return node.Evaluate(context);
  const auto count =
      static_cast<size_t>(std::accumulate(wanted.begin(), wanted.end(), uint64_t{0}));
  if (static_cast<double>(count) > kNarrowBelow * static_cast<double>(context.rows()))
    return node.Evaluate(context);
  std::vector<uint32_t> rows;
  rows.reserve(count);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] != 0) rows.push_back(static_cast<uint32_t>(i));
  }
  const KernelContext narrow(context, rows);
  return Spread(node.Evaluate(narrow), rows, context.rows());
}

bool AnyExpensive(const Nodes& nodes) {
  return std::ranges::any_of(nodes, [](const KernelNodePtr& node) { return node->expensive(); });
}

// a && b && ..., or a || b || ... with true and false exchanged. One deciding operand decides
// whatever the others are; else a null or slow operand makes the row slow.
class LogicNode final : public KernelNode {
 public:
  LogicNode(bool deciding, Nodes args)
      : KernelNode(Type(Kind::kBool)),
        deciding_(deciding),
        args_(std::move(args)),
        expensive_(AnyExpensive(args_)) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    const size_t rows = context.rows();
    std::vector<uint8_t> open(rows, 1);  // no operand has decided yet
    SlowRows slow;
    for (const KernelNodePtr& arg : args_) {
      const KernelVector operand = EvaluateWhere(*arg, context, open);
      SlowRows undecided;
      AddSlow(operand, rows, /*nulls=*/true, &undecided);
      Close(operand, undecided, &open);
      if (!undecided.empty()) {
        slow.resize(rows);
        for (size_t i = 0; i < rows; ++i) slow[i] |= undecided[i];
      }
    }
    return Result(std::move(open), std::move(slow));
  }
  bool expensive() const override { return expensive_; }

 private:
  void Close(const KernelVector& operand, const SlowRows& undecided,
             std::vector<uint8_t>* open) const {
    const uint8_t* values = operand->bools.data();
    const uint8_t flip = deciding_ ? 1 : 0;  // value ^ flip is 0 where the operand decides
    const size_t rows = open->size();
    if (operand.constant) {
      if ((values[0] ^ flip) == 0 && undecided.empty())
        std::fill(open->begin(), open->end(), uint8_t{0});
    } else if (undecided.empty()) {
      for (size_t i = 0; i < rows; ++i) (*open)[i] &= values[i] ^ flip;
    } else {
      for (size_t i = 0; i < rows; ++i) (*open)[i] &= (values[i] ^ flip) | undecided[i];
    }
  }

  KernelVector Result(std::vector<uint8_t> open, SlowRows slow) const {
    for (size_t i = 0; i < slow.size(); ++i) slow[i] &= open[i];
    if (deciding_) {
      for (uint8_t& value : open) value ^= 1;
    }
    auto column = std::make_shared<Column>(type());
    column->bools = std::move(open);
    column->set_size(column->bools.size());
    return {std::move(column), false, std::move(slow)};
  }

  const bool deciding_;
  Nodes args_;
  const bool expensive_;
};

// Rows of `first` where pick is 1, else of `second`.
ColumnRef Choose(const Type& type, const std::vector<uint8_t>& pick, const KernelVector& first,
                 const KernelVector& second) {
  auto result = std::make_shared<Column>(type);
  Column both(type);
  const auto add = [&](const KernelVector& vector) {
    const size_t begin = both.size();
    if (vector->kind() == Kind::kNull) {
      both.AppendNull();
    } else {
      both.AppendAll(*vector.column);
    }
    return static_cast<uint32_t>(begin);
  };
  const uint32_t first_at = add(first);
  const uint32_t second_at = add(second);
  const bool first_constant = first.constant || first->kind() == Kind::kNull;
  const bool second_constant = second.constant || second->kind() == Kind::kNull;
  std::vector<uint32_t> from(pick.size());
  for (size_t i = 0; i < pick.size(); ++i) {
    const auto row = static_cast<uint32_t>(i);
    from[i] = pick[i] != 0 ? first_at + (first_constant ? 0 : row)
                           : second_at + (second_constant ? 0 : row);
  }
  result->AppendGather(both, from);
  return result;
}

template <typename T>
void ChooseScalars(const std::vector<uint8_t>& pick, const KernelVector& first,
                   const KernelVector& second, T* out) {
  const T* a = ValuesOf<T>(*first.column);
  const T* b = ValuesOf<T>(*second.column);
  const size_t a_step = first.constant ? 0 : 1;
  const size_t b_step = second.constant ? 0 : 1;
  for (size_t i = 0; i < pick.size(); ++i) out[i] = pick[i] != 0 ? a[i * a_step] : b[i * b_step];
}

ColumnRef ChooseFast(const Type& type, const std::vector<uint8_t>& pick, const KernelVector& first,
                     const KernelVector& second) {
  // Nulls that are not picked do not matter: coalesce picks where the first is there.
  const bool plain = (!first->has_nulls() || &first->valid == &pick) && !second->has_nulls();
  auto result = std::make_shared<Column>(type);
  if (plain && type.is_int64()) {
    result->ints.resize(pick.size());
    ChooseScalars(pick, first, second, result->ints.data());
  } else if (plain && type.kind() == Kind::kDouble) {
    result->doubles.resize(pick.size());
    ChooseScalars(pick, first, second, result->doubles.data());
  } else if (plain && type.kind() == Kind::kBool) {
    result->bools.resize(pick.size());
    ChooseScalars(pick, first, second, result->bools.data());
  } else if (plain && type.is_binary()) {
    result->strings.resize(pick.size());
    ChooseScalars(pick, first, second, result->strings.data());
    result->AddOwnersOf(*first.column);
    result->AddOwnersOf(*second.column);
  } else {
    return Choose(type, pick, first, second);
  }
  result->set_size(pick.size());
  return result;
}

class ConditionalNode final : public KernelNode {
 public:
  ConditionalNode(Type type, Nodes args)
      : KernelNode(std::move(type)), args_(std::move(args)), expensive_(AnyExpensive(args_)) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    const size_t rows = context.rows();
    const KernelVector condition = args_[0]->Evaluate(context);
    SlowRows slow;
    AddSlow(condition, rows, /*nulls=*/true, &slow);
    const ColumnRef flags = Materialise(condition, rows);
    const std::vector<uint8_t>& pick = flags->bools;
    std::vector<uint8_t> other(pick);
    for (uint8_t& flag : other) flag ^= 1;
    const KernelVector first = EvaluateWhere(*args_[1], context, pick);
    const KernelVector second = EvaluateWhere(*args_[2], context, other);
    if (!first.slow.empty() || !second.slow.empty()) {
      slow.resize(rows);
      for (size_t i = 0; i < rows; ++i)
        slow[i] |= pick[i] != 0 ? first.IsSlow(i) : second.IsSlow(i);
    }
    return {ChooseFast(type(), pick, first, second), false, std::move(slow)};
  }
  bool expensive() const override { return expensive_; }

 private:
  Nodes args_;
  const bool expensive_;
};

// The first argument that is not null. Strict in errors: a slow argument makes the row slow,
// wherever it stands.
class CoalesceNode final : public KernelNode {
 public:
  CoalesceNode(Type type, Nodes args)
      : KernelNode(std::move(type)), args_(std::move(args)), expensive_(AnyExpensive(args_)) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    const size_t rows = context.rows();
    KernelVector result = args_[0]->Evaluate(context);
    for (size_t a = 1; a < args_.size(); ++a) {
      const KernelVector next = args_[a]->Evaluate(context);
      SlowRows slow = std::move(result.slow);
      AddSlow(next, rows, /*nulls=*/false, &slow);
      if (result->has_nulls()) {
        const ColumnRef present = Materialise(result, rows);
        result = {ChooseFast(type(), present->valid, {present, false, {}}, next), false, {}};
      }
      result.slow = std::move(slow);
    }
    return result;
  }
  bool expensive() const override { return expensive_; }

 private:
  Nodes args_;
  const bool expensive_;
};

// Both columns hold values of the result's physical type, or are the null literal.
bool FitsType(const Type& type, const KernelNode& node) {
  return node.kind() == Kind::kNull || node.type().AsRequired() == type.AsRequired();
}

}  // namespace

KernelNodePtr MakeLogic(Op op, Nodes args) {
  for (const KernelNodePtr& arg : args) {
    if (arg->kind() != Kind::kBool) return nullptr;
  }
  if (op == Op::kNot) {
    return MakeStrict(Type(Kind::kBool), std::move(args), [](const StrictCall& call, Column* out) {
      out->bools.resize(call.rows);
      UnaryLoop(call.rows, call[0]->bools.data(), call[0].constant, out->bools.data(),
                [](uint8_t value) { return static_cast<uint8_t>(value ^ 1); });
    });
  }
  return std::make_unique<LogicNode>(/*deciding=*/op == Op::kOr, std::move(args));
}

KernelNodePtr MakeConditional(const Type& type, Nodes args) {
  if (args[0]->kind() != Kind::kBool || !IsColumnType(type)) return nullptr;
  if (!FitsType(type, *args[1]) || !FitsType(type, *args[2])) return nullptr;
  if (type.kind() == Kind::kNull) return nullptr;
  return std::make_unique<ConditionalNode>(type.AsNullable(), std::move(args));
}

KernelNodePtr MakeCoalesce(const Type& type, Nodes args) {
  if (args.empty() || !IsColumnType(type)) return nullptr;
  for (const KernelNodePtr& arg : args) {
    if (arg->kind() == Kind::kNull || !FitsType(type, *arg)) return nullptr;
  }
  return std::make_unique<CoalesceNode>(type.AsNullable(), std::move(args));
}

}  // namespace millrace::worker
