#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/expr/ast.h"
#include "worker/expr/value.h"

namespace millrace::worker {

class EvalContext;

// Evaluates one call: arguments are never errors. Dispatches on run-time kinds, since operands may
// be dyn; returns context.NoOverload() where nothing fits. Must not keep references to `args`.
using FunctionBody = Value (*)(EvalContext& context, std::span<const Value> args);

// One typed signature of a function or operator.
struct Overload {
  std::string_view id;       // "add_int": what kernels match on
  std::vector<Type> params;  // the receiver first
  Type result;
  bool variadic = false;  // the last parameter repeats, zero or more times
};

// A function by name and call style. Namespaced functions have the dot in the name ("math.abs") and
// no receiver.
struct Function {
  std::string name;
  bool method = false;
  FunctionBody body = nullptr;
  std::vector<Overload> overloads;
  // Position of an argument that is an RE2 pattern, -1 for none: literals are compiled once, and
  // checked.
  int pattern_arg = -1;
};

// All functions and operators of the language: built once, immutable, thread-safe.
class FunctionTable {
 public:
  static const FunctionTable& Get();

  const Function* Find(std::string_view name, bool method) const;
  // The overloads of an operator.
  const Function& OfOperator(Op op) const;
  bool HasNamespace(std::string_view name) const;
  // Names callable in this style, for suggestions.
  std::vector<std::string> Names(bool method) const;

  // `overloads` are "id: (type, type...) -> type" in the type grammar plus A, B, K, V (type
  // parameters), dyn, null, optional<T> and type<T>. Requires: well-formed.
  void Add(std::string_view name, bool method, FunctionBody body,
           std::vector<std::string_view> overloads, int pattern_arg = -1);
  void AddOperator(Op op, FunctionBody body, std::vector<std::string_view> overloads);

 private:
  FunctionTable();

  std::vector<Function> functions_;  // sorted by (name, method)
  std::vector<Function> operators_;
};

// Symbol of an operator as written: "+", "in", "? :".
std::string_view OpSymbol(Op op);

// Each family adds its functions.
void AddOperators(FunctionTable* table);
void AddConversionFunctions(FunctionTable* table);
void AddStringFunctions(FunctionTable* table);
void AddFormatFunctions(FunctionTable* table);
void AddRegexFunctions(FunctionTable* table);
void AddMathFunctions(FunctionTable* table);
void AddListFunctions(FunctionTable* table);
void AddMapFunctions(FunctionTable* table);
void AddOptionalFunctions(FunctionTable* table);
void AddTimeFunctions(FunctionTable* table);
void AddEncodingFunctions(FunctionTable* table);

}  // namespace millrace::worker
