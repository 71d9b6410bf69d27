#include <algorithm>

#include "crds/base/text.h"
#include "worker/expr/checker_state.h"
#include "worker/expr/evaluator.h"

namespace millrace::worker {
namespace {

bool IsDyn(const Type& type) {
  return type.kind() == Kind::kDyn || type.kind() == Kind::kTypeParam;
}

// What to do about operands that almost fit.
std::string Hint(const Expr& node, std::span<const Type> args) {
  if (args.size() != 2) return {};
  const Type& a = args[0];
  const Type& b = args[1];
  if (a.is_numeric() && b.is_numeric()) {
    const bool real = a.kind() == Kind::kDouble || b.kind() == Kind::kDouble;
    return std::string("; convert one side with ") + (real ? "double()" : "int()");
  }
  if (node.op == Op::kAdd && (a.kind() == Kind::kString || b.kind() == Kind::kString))
    return "; convert with string()";
  if (a.kind() == Kind::kNull || b.kind() == Kind::kNull)
    return "; null only compares with == and !=";
  return {};
}

bool TakesCount(const Overload& overload, size_t count) {
  if (overload.variadic) return count + 1 >= overload.params.size();
  return count == overload.params.size();
}

std::string Arguments(std::span<const Type> args) {
  std::vector<std::string> texts;
  for (const Type& type : args) texts.push_back(TypeText(type));
  return "(" + Join(texts, ", ") + ")";
}

}  // namespace

Type Checker::CheckCall(Expr* node) {
  return node->op == Op::kNone ? CheckFunction(node) : CheckOperator(node);
}

void Checker::RequireBool(Expr* node, std::string_view what) {
  const Type type = solver_.Resolve(Check(node));
  if (solver_.Assign(Type(Kind::kBool), type)) return;
  Error(node->begin, std::string(what) + " must be bool; this is " + TypeText(type));
}

Type Checker::CheckOperator(Expr* node) {
  switch (node->op) {
    case Op::kConditional:
      return CheckConditional(node);
    case Op::kIndex:
      return CheckIndex(node);
    case Op::kAnd:
    case Op::kOr:
    case Op::kNot:
      for (const ExprPtr& arg : node->args) {
        RequireBool(arg.get(), "an operand of \"" + std::string(OpSymbol(node->op)) + "\"");
      }
      return Type(Kind::kBool);
    case Op::kNone:
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
  return ResolveOverload(node, FunctionTable::Get().OfOperator(node->op));
}

Type Checker::CheckConditional(Expr* node) {
  RequireBool(node->args[0].get(), "the condition of \"?\"");
  const Type then = solver_.Resolve(Check(node->args[1].get()));
  const Type otherwise = solver_.Resolve(Check(node->args[2].get()));
  const Type joined = solver_.Join(then, otherwise);
  if (joined.kind() == Kind::kDyn && !IsDyn(then) && !IsDyn(otherwise)) {
    return Error(node->offset, "the branches of \"? :\" have different types: " + TypeText(then) +
                                   " and " + TypeText(otherwise));
  }
  return joined;
}

Type Checker::CheckIndex(Expr* node) {
  Type operand = solver_.Resolve(Check(node->args[0].get()));
  const Type index = solver_.Resolve(Check(node->args[1].get()));
  const bool chained = operand.kind() == Kind::kOptional;
  if (chained) operand = solver_.Resolve(operand.element());
  Type result = Dyn();
  if (operand.kind() == Kind::kList) {
    if (!solver_.Assign(Type(Kind::kInt), index)) {
      return Error(node->args[1]->begin,
                   "the index of a list must be int; this is " + TypeText(index));
    }
    result = operand.element();
  } else if (operand.kind() == Kind::kMap) {
    if (!solver_.Assign(operand.map_key(), index)) {
      return Error(node->args[1]->begin, "the keys of this map are " + TypeText(operand.map_key()) +
                                             "; the index is " + TypeText(index));
    }
    result = operand.map_value();
  } else if (!IsDyn(operand)) {
    const std::string hint = operand.kind() == Kind::kStruct ? "; select a field with \".\"" : "";
    return Error(node->offset,
                 "a value of type " + TypeText(operand) + " cannot be indexed" + hint);
  }
  if (!chained && !node->optional) return result;
  return result.kind() == Kind::kOptional ? result : Type::Optional(result);
}

// `math.abs(x)` parses as a method on `math`; where such a function exists the name before the dot
// is no value.
void Checker::ResolveNamespace(Expr* node) {
  if (!node->method || node->args[0]->kind != ExprKind::kIdent) return;
  const std::string& prefix = node->args[0]->name;
  const std::string full = prefix + "." + node->name;
  const bool known = FunctionTable::Get().Find(full, false) != nullptr;
  const bool value = FindLocal(prefix) != nullptr || env_.fields.Find(prefix) >= 0;
  if (!known && (value || !FunctionTable::Get().HasNamespace(prefix))) return;
  node->name = full;
  node->method = false;
  node->args.erase(node->args.begin());
}

Type Checker::CheckFunction(Expr* node) {
  ResolveNamespace(node);
  node->function = FunctionTable::Get().Find(node->name, node->method);
  if (node->function == nullptr) return UnknownFunction(node);
  const Type type = ResolveOverload(node, *node->function);
  if (node->function == nullptr) return type;
  CheckPattern(*node);
  return node->name == "parseJson" && node->args.size() == 2 ? ParseJsonType(*node) : type;
}

// A literal pattern must compile.
void Checker::CheckPattern(const Expr& node) {
  const int position = node.function->pattern_arg;
  if (position < 0 || node.args.size() <= static_cast<size_t>(position)) return;
  const Expr& pattern = *node.args[static_cast<size_t>(position)];
  if (pattern.kind != ExprKind::kLiteral || !pattern.value.is_string()) return;
  std::string reason;
  RegexCache patterns;
  if (patterns.Get(pattern.value.text(), &reason) == nullptr) {
    Error(pattern.begin, "invalid regular expression: " + reason);
  }
}

// parseJson(s, "type"): the type is part of the program.
Type Checker::ParseJsonType(const Expr& node) {
  const Expr& literal = *node.args[1];
  if (literal.kind != ExprKind::kLiteral || !literal.value.is_string()) {
    return Error(literal.begin, "the type of parseJson() must be a string literal");
  }
  const Result<Type> type = ParseType(literal.value.text());
  return type.ok() ? ExpressionType(*type) : Error(literal.begin, type.status().message());
}

Type Checker::UnknownFunction(Expr* node) {
  for (const ExprPtr& arg : node->args) Check(arg.get());
  const FunctionTable& table = FunctionTable::Get();
  const std::string name = node->name + "()";
  if (node->name == "predict") return Error(node->offset, "predict() is not supported yet");
  if (node->name == "now")
    return Error(node->offset, "there is no now(): use __batchTime, which replays alike");
  if (node->method && table.Find(node->name, false) != nullptr) {
    return Error(node->offset, name + " takes its value in the parentheses: " + node->name + "(x)");
  }
  if (!node->method && table.Find(node->name, true) != nullptr) {
    return Error(node->offset, name + " is called on a value: x." + name);
  }
  return Error(node->offset,
               "no function " + name + "." + Suggestion(node->name, table.Names(node->method)));
}

bool Checker::Matches(const Overload& overload, std::span<const Type> args, bool allow_null,
                      Type* result) {
  if (!TakesCount(overload, args.size())) return false;
  const size_t mark = solver_.Mark();
  std::map<std::string, Type> names;
  for (size_t i = 0; i < args.size(); ++i) {
    const Type param =
        solver_.Instantiate(overload.params[std::min(i, overload.params.size() - 1)], &names);
    if (!solver_.Assign(param, args[i], allow_null)) {
      solver_.Undo(mark);
      return false;
    }
  }
  *result = solver_.Resolve(solver_.Instantiate(overload.result, &names));
  return true;
}

Type Checker::ResolveOverload(Expr* node, const Function& function) {
  std::vector<Type> args;
  for (const ExprPtr& arg : node->args) args.push_back(solver_.Resolve(Check(arg.get())));
  const bool dynamic = std::ranges::any_of(args, IsDyn);
  const bool allow_null = node->op == Op::kEqual || node->op == Op::kNotEqual ||
                          node->op == Op::kIn || function.name == "coalesce";
  std::vector<const Overload*> matches;
  Type result;
  for (const Overload& overload : function.overloads) {
    const size_t mark = solver_.Mark();
    Type candidate;
    if (!Matches(overload, args, allow_null, &candidate)) continue;
    matches.push_back(&overload);
    if (!dynamic) {
      node->overload = &overload;
      return function.name == "coalesce" ? CoalesceType(*node) : candidate;
    }
    result = matches.size() == 1 || result == candidate ? candidate : Dyn();
    solver_.Undo(mark);
  }
  if (matches.empty()) return NoOverload(node, function, args);
  if (matches.size() > 1) return solver_.Final(result);
  Type only;
  if (!Matches(*matches[0], args, allow_null, &only)) return Dyn();
  return function.name == "coalesce" ? CoalesceType(*node) : only;
}

Type Checker::NoOverload(Expr* node, const Function& function, std::span<const Type> args) {
  const bool arity = std::ranges::any_of(function.overloads, [&](const Overload& overload) {
    return TakesCount(overload, args.size());
  });
  if (!arity) node->function = nullptr;  // bodies rely on the number of their arguments
  if (node->op != Op::kNone) {
    return Error(node->offset, "no overload of \"" + function.name + "\" for " + Arguments(args) +
                                   Hint(*node, args));
  }
  std::vector<std::string> forms;
  for (const Overload& overload : function.overloads) {
    std::string form = Arguments(overload.params);
    if (overload.variadic) form.insert(form.size() - 1, "...");
    if (forms.size() < 6) forms.push_back(std::move(form));
  }
  return Error(node->offset, "no overload of " + function.name + "() for " + Arguments(args) +
                                 "; there are " + Join(forms, ", "));
}

// Null only where every argument may be null.
Type Checker::CoalesceType(const Expr& node) {
  Type result = solver_.Resolve(node.args[0]->type);
  bool nullable = true;
  for (const ExprPtr& arg : node.args) {
    const Type type = solver_.Resolve(arg->type);
    nullable = nullable && (type.nullable() || type.kind() == Kind::kNull);
    result = solver_.Join(result, type);
  }
  return nullable ? result : result.AsRequired();
}

}  // namespace millrace::worker
