#pragma once

#include <span>
#include <string>
#include <vector>

#include "worker/expr/checker.h"
#include "worker/expr/function_table.h"
#include "worker/expr/type_solver.h"

namespace millrace::worker {

// One walk of the checker over a tree. After an error the node counts as dyn, so that its parents
// cause no further ones. Rules: google/cel-spec doc/langdef.md "Gradual Type Checking".
// Thread-compatible.
class Checker {
 public:
  Checker(const ExprEnv& env, CheckMode mode) : env_(env), mode_(mode) {}

  Type Check(Expr* node);
  // Replaces inferred types by final ones, after everything was checked.
  void Finish(Expr* node);
  TypeSolver& solver() { return solver_; }
  int max_slots() const { return max_slots_; }
  std::vector<ExprError> TakeErrors() { return std::move(errors_); }

 private:
  struct Local {
    std::string name;
    Type type;
    int slot = 0;
  };

  Type CheckNode(Expr* node);
  Type CheckIdent(Expr* node);
  Type CheckSelect(Expr* node);
  Type SelectField(Expr* node, const Type& operand);
  Type CheckTable(Expr* node);
  Type CheckList(Expr* node);
  Type CheckMap(Expr* node);
  Type ElementType(Expr* element, bool optional);

  Type CheckCall(Expr* node);
  Type CheckOperator(Expr* node);
  Type CheckConditional(Expr* node);
  Type CheckIndex(Expr* node);
  Type CheckFunction(Expr* node);
  void ResolveNamespace(Expr* node);
  void CheckPattern(const Expr& node);
  Type ParseJsonType(const Expr& node);
  Type UnknownFunction(Expr* node);
  Type ResolveOverload(Expr* node, const Function& function);
  bool Matches(const Overload& overload, std::span<const Type> args, bool allow_null, Type* result);
  Type NoOverload(Expr* node, const Function& function, std::span<const Type> args);
  Type CoalesceType(const Expr& node);
  void RequireBool(Expr* node, std::string_view what);

  Type CheckMacro(Expr* node);
  Type CheckOptionalMacro(Expr* node, const Type& range);
  Type MacroResult(Expr* node, const Type& range, const Type& key, const Type& element);
  bool RangeTypes(Expr* node, const Type& range, Type* key, Type* element);
  int PushLocal(const std::string& name, const Type& type);

  const Local* FindLocal(std::string_view name) const;
  Type Error(int offset, std::string message);
  static Type Dyn() { return Type(Kind::kDyn); }

  const ExprEnv& env_;
  CheckMode mode_;
  TypeSolver solver_;
  std::vector<Local> locals_;
  int max_slots_ = 0;
  std::vector<ExprError> errors_;
};

// `name` is the dotted name a chain of selections spells, empty for other nodes.
std::string DottedName(const Expr& node);
// " Did you mean \"x\"?" or nothing.
std::string Suggestion(std::string_view name, const std::vector<std::string>& candidates);
// The type that a name like int or google.protobuf.Timestamp denotes; false for none.
bool FindTypeName(std::string_view name, std::string_view* canonical);

}  // namespace millrace::worker
