#include "worker/expr/evaluator.h"

#include <cmath>

#include "crds/base/text.h"
#include "worker/expr/column_value.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

// "\"x\"" or "3": a key in a message.
std::string KeyText(const Value& key) {
  if (key.is_string()) return JsonQuote(Excerpt(key.text(), 60));
  if (key.is_int()) return std::to_string(key.integer());
  if (key.is_uint()) return std::to_string(key.unsigned_integer());
  if (key.is_bool()) return key.boolean() ? "true" : "false";
  return std::string(TypeNameOf(key));
}

// A whole number as a list index; false for everything else.
bool ListIndex(const Value& index, int64_t* i) {
  if (index.is_int()) {
    *i = index.integer();
    return true;
  }
  if (index.is_uint()) {
    *i = index.unsigned_integer() > kMaxListElements
             ? INT64_MAX
             : static_cast<int64_t>(index.unsigned_integer());
    return true;
  }
  if (!index.is_double() || std::trunc(index.real()) != index.real() ||
      std::abs(index.real()) > 9e15)
    return false;
  *i = static_cast<int64_t>(index.real());
  return true;
}

}  // namespace

Value EvalContext::Error(std::string_view message) {
  return Value::Error(arena_.Copy(message), node_ == nullptr ? -1 : node_->offset);
}

Value EvalContext::NoOverload(std::span<const Value> args) {
  std::string text = "no such overload: ";
  const bool is_operator = node_ != nullptr && node_->op != Op::kNone;
  if (node_ != nullptr) text += is_operator ? std::string(OpSymbol(node_->op)) : node_->name;
  text += is_operator ? " (" : "(";
  for (size_t i = 0; i < args.size(); ++i) {
    if (i > 0) text += ", ";
    text += TypeNameOf(args[i]);
  }
  return Error(text + ")");
}

Value EvalContext::String(std::string_view text) {
  if (text.size() > kMaxValueBytes) return Error("the string is longer than 16 MiB");
  return Value::String(arena_.Copy(text));
}

Value EvalContext::Bytes(std::string_view bytes) {
  if (bytes.size() > kMaxValueBytes) return Error("the bytes are longer than 16 MiB");
  return Value::Bytes(arena_.Copy(bytes));
}

Value Evaluator::RunNode(const Expr& node, const EvalInput& input) {
  context_.arena_.Reset();
  context_.steps_ = 0;
  input_ = input;
  return Eval(node);
}

Value Evaluator::Error(const Expr& node, std::string_view message) {
  return Value::Error(arena()->Copy(message), node.offset);
}

Value Evaluator::Eval(const Expr& node) {
  switch (node.kind) {
    case ExprKind::kLiteral:
      return node.value;
    case ExprKind::kIdent:
      return EvalIdent(node);
    case ExprKind::kSelect:
      return EvalSelect(node);
    case ExprKind::kCall:
      return EvalCall(node);
    case ExprKind::kList:
      return EvalList(node);
    case ExprKind::kMap:
      return EvalMap(node);
    case ExprKind::kMacro:
      return EvalMacro(node);
  }
  return Error(node, "unknown expression");
}

Value Evaluator::EvalIdent(const Expr& node) {
  const auto index = static_cast<size_t>(node.index);
  switch (node.binding) {
    case Binding::kLocal:
      return slots_[index];
    case Binding::kField:
      if (!input_.values.empty()) return input_.values[index];
      return ColumnValue(arena(), *input_.columns[index], input_.row);
    case Binding::kType:
      return node.value;
    case Binding::kTable:
    case Binding::kUnresolved:
      break;
  }
  return Error(node, "no such name: " + node.name);
}

Value Evaluator::EvalSelect(const Expr& node) {
  if (node.binding == Binding::kTable) {
    if (node.test_only) return Value::Bool(true);
    return input_.tables[static_cast<size_t>(node.index)];
  }
  Value operand = Eval(*node.args[0]);
  if (operand.is_error()) return operand;
  const bool chained = operand.is_optional();
  if (chained) {
    if (operand.optional_value() == nullptr) return node.test_only ? Value::Bool(false) : operand;
    operand = *operand.optional_value();
  }
  return SelectFrom(node, operand, chained || node.optional);
}

Value Evaluator::SelectFrom(const Expr& node, const Value& operand, bool optional) {
  Value found;
  bool present = false;
  if (operand.is_struct()) {
    const bool typed = node.index >= 0 && node.args[0]->type.kind() == Kind::kStruct;
    const int index = typed ? node.index : FindStructField(operand, node.name);
    if (index >= 0) found = StructMember(arena(), operand, static_cast<size_t>(index));
    present = index >= 0 && !found.is_null();
    if (index >= 0 && !optional && !node.test_only) return found;
  } else if (operand.is_map()) {
    present = FindKey(arena(), operand, Value::String(node.name), &found);
  } else if (operand.is_null()) {
    const bool tolerant =
        node.optional || (node.test_only && node.args[0]->type.kind() == Kind::kStruct);
    if (!tolerant) return Error(node, "no member \"" + node.name + "\": the value is null");
  } else {
    return Error(node, "no such key: \"" + node.name + "\" in a value of type " +
                           std::string(TypeNameOf(operand)));
  }
  if (node.test_only)
    return Value::Bool(present && !(found.is_optional() && found.optional_value() == nullptr));
  if (optional) {
    if (found.is_optional()) return found;
    return present ? MakeOptional(arena(), found) : Value::Optional(nullptr);
  }
  return present ? found : Error(node, "no such key: \"" + node.name + "\"");
}

Value Evaluator::EvalCall(const Expr& node) {
  switch (node.op) {
    case Op::kConditional:
      return EvalConditional(node);
    case Op::kAnd:
    case Op::kOr:
      return EvalLogic(node);
    case Op::kIndex:
      return EvalIndex(node);
    case Op::kNone:
      if (node.function == nullptr) return Error(node, "no such function: " + node.name + "()");
      return EvalFunction(node, node.function->body);
    case Op::kNot:
    case Op::kNegate:
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kModulo:
    case Op::kEqual:
    case Op::kNotEqual:
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
    case Op::kIn:
      break;
  }
  return EvalFunction(node, FunctionTable::Get().OfOperator(node.op).body);
}

Value Evaluator::EvalFunction(const Expr& node, FunctionBody body) {
  constexpr size_t kInline = 6;
  Value few[kInline];
  std::vector<Value> many;
  const size_t count = node.args.size();
  if (count > kInline) many.resize(count);
  Value* args = count > kInline ? many.data() : few;
  for (size_t i = 0; i < count; ++i) {
    args[i] = Eval(*node.args[i]);
    if (args[i].is_error()) return args[i];
  }
  context_.node_ = &node;
  if (arena()->block_bytes() > kMaxEvalBytes)
    return context_.Error("the expression needs more than 512 MiB");
  return body(context_, {args, count});
}

Value Evaluator::EvalConditional(const Expr& node) {
  const Value condition = Eval(*node.args[0]);
  if (condition.is_error()) return condition;
  if (!condition.is_bool()) {
    context_.node_ = &node;
    return context_.NoOverload({&condition, 1});
  }
  return Eval(*node.args[condition.boolean() ? 1 : 2]);
}

// The deciding value of && is false, of || true; it wins over errors on either side.
Value Evaluator::EvalLogic(const Expr& node) {
  const bool decisive = node.op == Op::kOr;
  Value failed;
  bool has_failed = false;
  for (const ExprPtr& arg : node.args) {
    Value value = Eval(*arg);
    if (value.is_bool()) {
      if (value.boolean() == decisive) return value;
      continue;
    }
    if (has_failed) continue;
    if (!value.is_error()) {
      context_.node_ = &node;
      value = context_.NoOverload({&value, 1});
    }
    failed = value;
    has_failed = true;
  }
  return has_failed ? failed : Value::Bool(!decisive);
}

Value Evaluator::EvalIndex(const Expr& node) {
  Value operand = Eval(*node.args[0]);
  if (operand.is_error()) return operand;
  const Value index = Eval(*node.args[1]);
  if (index.is_error()) return index;
  const bool chained = operand.is_optional();
  if (chained) {
    if (operand.optional_value() == nullptr) return operand;
    operand = *operand.optional_value();
  }
  return IndexInto(node, operand, index, chained || node.optional);
}

Value Evaluator::IndexInto(const Expr& node, const Value& operand, const Value& index,
                           bool optional) {
  Value found;
  bool present = false;
  std::string problem;
  if (operand.is_list()) {
    const ListView items(arena(), operand);
    int64_t i = 0;
    if (!ListIndex(index, &i)) return Error(node, "a list index must be a whole number");
    present = i >= 0 && static_cast<uint64_t>(i) < items.size();
    if (present) found = items[static_cast<size_t>(i)];
    if (!present && !optional) {
      problem = "index " + std::to_string(i) + " is out of bounds of a list of " +
                std::to_string(items.size());
    }
  } else if (operand.is_map() || operand.is_struct()) {
    present = FindKey(arena(), operand, index, &found);
    if (!present && !optional) problem = "no such key: " + KeyText(index);
  } else if (!(operand.is_null() && node.optional)) {
    context_.node_ = &node;
    const Value args[] = {operand, index};
    return context_.NoOverload(args);
  }
  if (!optional) return present ? found : Error(node, problem);
  if (found.is_optional()) return found;
  return present ? MakeOptional(arena(), found) : Value::Optional(nullptr);
}

Value Evaluator::EvalList(const Expr& node) {
  Value* items = arena()->NewArray<Value>(node.args.size());
  size_t size = 0;
  for (size_t i = 0; i < node.args.size(); ++i) {
    Value item = Eval(*node.args[i]);
    if (item.is_error()) return item;
    if (node.optional_elements[i] != 0) {
      if (!item.is_optional()) return Error(*node.args[i], "\"?\" needs an optional value");
      if (item.optional_value() == nullptr) continue;
      item = *item.optional_value();
    }
    items[size++] = item;
  }
  return Value::List(items, size);
}

Value Evaluator::EvalMap(const Expr& node) {
  std::vector<MapEntry> entries;
  entries.reserve(node.args.size() / 2);
  for (size_t i = 0; i < node.args.size(); i += 2) {
    const Value key = Eval(*node.args[i]);
    if (key.is_error()) return key;
    if (!IsMapKey(key))
      return Error(*node.args[i], "a map key cannot be " + std::string(TypeNameOf(key)));
    Value value = Eval(*node.args[i + 1]);
    if (value.is_error()) return value;
    if (node.optional_elements[i / 2] != 0) {
      if (!value.is_optional()) return Error(*node.args[i + 1], "\"?\" needs an optional value");
      if (value.optional_value() == nullptr) continue;
      value = *value.optional_value();
    }
    entries.push_back({key, value});
  }
  const std::optional<Value> map = MakeMap(arena(), entries);
  return map ? *map : Error(node, "a map key is repeated");
}

}  // namespace millrace::worker
