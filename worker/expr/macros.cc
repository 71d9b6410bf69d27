#include "worker/expr/parser_state.h"

namespace millrace::worker {
namespace {

struct MacroForm {
  std::string_view name;
  Macro macro;
  size_t variables;
  size_t args;  // without the receiver
};
constexpr MacroForm kMacros[] = {
    {"all", Macro::kAll, 1, 2},
    {"exists", Macro::kExists, 1, 2},
    {"exists_one", Macro::kExistsOne, 1, 2},
    {"existsOne", Macro::kExistsOne, 1, 2},
    {"filter", Macro::kFilter, 1, 2},
    {"map", Macro::kMap, 1, 2},
    {"map", Macro::kMap, 1, 3},
    {"all", Macro::kAll, 2, 3},
    {"exists", Macro::kExists, 2, 3},
    {"exists_one", Macro::kExistsOne, 2, 3},
    {"existsOne", Macro::kExistsOne, 2, 3},
    {"transformList", Macro::kTransformList, 2, 3},
    {"transformList", Macro::kTransformList, 2, 4},
    {"transformMap", Macro::kTransformMap, 2, 3},
    {"transformMap", Macro::kTransformMap, 2, 4},
    {"transformMapEntry", Macro::kTransformMapEntry, 2, 3},
    {"transformMapEntry", Macro::kTransformMapEntry, 2, 4},
    {"sortBy", Macro::kSortBy, 1, 2},
    {"optMap", Macro::kOptMap, 1, 2},
    {"optFlatMap", Macro::kOptFlatMap, 1, 2},
};

}  // namespace

ExprPtr Parser::ExpandMacro(ExprPtr call) {
  if (!call->method) return call->name == "has" ? ExpandHas(std::move(call)) : std::move(call);
  const Expr& receiver = *call->args[0];
  if (call->name == "bind" && receiver.kind == ExprKind::kIdent && receiver.name == "cel" &&
      call->args.size() == 4) {
    return ExpandBind(std::move(call));
  }
  for (const MacroForm& form : kMacros) {
    if (form.name == call->name && form.args + 1 == call->args.size()) {
      return MakeMacro(std::move(call), form.macro, form.variables);
    }
  }
  return call;
}

ExprPtr Parser::ExpandHas(ExprPtr call) {
  if (call->args.size() != 1 || call->args[0]->kind != ExprKind::kSelect ||
      call->args[0]->optional || call->args[0]->test_only) {
    return Fail(call->offset, "has() takes one field selection, as in has(a.b)");
  }
  ExprPtr select = std::move(call->args[0]);
  select->test_only = true;
  select->begin = call->begin;
  select->end = call->end;
  return select;
}

ExprPtr Parser::ExpandBind(ExprPtr call) {
  call->args.erase(call->args.begin());
  std::swap(call->args[0], call->args[1]);
  return MakeMacro(std::move(call), Macro::kBind, 1);
}

// Expects args = range, variables ..., bodies ...
ExprPtr Parser::MakeMacro(ExprPtr call, Macro macro, size_t variables) {
  for (size_t i = 1; i <= variables; ++i) {
    const Expr& variable = *call->args[i];
    if (variable.kind != ExprKind::kIdent || variable.absolute) {
      return Fail(variable.begin, "the variable of " + call->name + "() must be a simple name");
    }
    (i == 1 ? call->var1 : call->var2) = variable.name;
  }
  if (variables == 2 && call->var1 == call->var2) {
    return Fail(call->args[2]->begin,
                "the variables of " + call->name + "() must have different names");
  }
  call->args.erase(call->args.begin() + 1,
                   call->args.begin() + 1 + static_cast<std::ptrdiff_t>(variables));
  call->kind = ExprKind::kMacro;
  call->macro = macro;
  call->method = false;
  return call;
}

}  // namespace millrace::worker
