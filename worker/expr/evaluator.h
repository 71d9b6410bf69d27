#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/expr/ast.h"
#include "worker/expr/function_table.h"
#include "worker/expr/value.h"

namespace re2 {
class RE2;
}

namespace millrace::worker {

inline constexpr size_t kMaxValueBytes = 16 << 20;     // of one string or bytes value
inline constexpr size_t kMaxListElements = 1'000'000;  // of one list or map made by an expression
inline constexpr size_t kMaxMacroSteps = 10'000'000;   // bodies run by the macros of one evaluation
inline constexpr size_t kMaxEvalBytes = 512 << 20;     // of all values of one evaluation

// Compiled RE2 patterns by their text. Bounded: cleared when full. Thread-compatible.
class RegexCache {
 public:
  RegexCache();
  ~RegexCache();
  // nullptr for an invalid pattern; `error` then says why. Valid until the next Get.
  const re2::RE2* Get(std::string_view pattern, std::string* error);

 private:
  static constexpr size_t kMaxPatterns = 256;
  std::map<std::string, std::unique_ptr<re2::RE2>, std::less<>> patterns_;
};

// What functions need besides their arguments. One per thread of evaluation.
class EvalContext {
 public:
  ValueArena& arena() { return arena_; }
  RegexCache& regexes() { return regexes_; }
  // The checked result type of the call that is being evaluated.
  const Type& node_type() const { return node_->type; }
  // An error value about the call that is being evaluated.
  Value Error(std::string_view message);
  // "no such overload: size(int)".
  Value NoOverload(std::span<const Value> args);
  // A copy of `text`, or an error when it is too long.
  Value String(std::string_view text);
  Value Bytes(std::string_view bytes);

 private:
  friend class Evaluator;
  ValueArena arena_;
  RegexCache regexes_;
  const Expr* node_ = nullptr;
  size_t steps_ = 0;
};

// Where names get their values. Columns by position in ExprEnv::fields; `values`, if not empty,
// stand in for them.
struct EvalInput {
  std::span<const Column* const> columns;
  size_t row = 0;
  std::span<const Value> values;
  std::span<const Value> tables;  // lists, by position in ExprEnv::tables
};

// Evaluates a checked expression by walking its tree: the general way, for every construct and
// every type. Errors are values: && and || absorb them where the other side decides. Strict
// everywhere else. Thread-compatible; reuse one for many rows, results are valid until the next
// Run.
class Evaluator {
 public:
  explicit Evaluator(const Ast& ast) : ast_(ast), slots_(static_cast<size_t>(ast.slots)) {}

  Value Run(const EvalInput& input) { return RunNode(*ast_.root, input); }
  // A node of the tree that no macro variable reaches.
  Value RunNode(const Expr& node, const EvalInput& input);
  EvalContext& context() { return context_; }

 private:
  Value Eval(const Expr& node);
  Value EvalIdent(const Expr& node);
  Value EvalSelect(const Expr& node);
  Value SelectFrom(const Expr& node, const Value& operand, bool optional);
  Value EvalCall(const Expr& node);
  Value EvalLogic(const Expr& node);
  Value EvalConditional(const Expr& node);
  Value EvalIndex(const Expr& node);
  Value IndexInto(const Expr& node, const Value& operand, const Value& index, bool optional);
  Value EvalList(const Expr& node);
  Value EvalMap(const Expr& node);
  Value EvalFunction(const Expr& node, FunctionBody body);

  Value EvalMacro(const Expr& node);
  Value EvalOptionalMacro(const Expr& node, const Value& optional);
  Value EvalQuantifier(const Expr& node, const Value& range);
  Value EvalTransform(const Expr& node, const Value& range);
  // Sets the variables of step i and says whether the step may run.
  bool Bind(const Expr& node, const Value& range, size_t i);
  bool AddTransformed(const Expr& node, const Value& key, const Value& result,
                      std::vector<MapEntry>* entries, Value* error);

  Value Error(const Expr& node, std::string_view message);
  ValueArena* arena() { return &context_.arena_; }

  const Ast& ast_;
  EvalContext context_;
  EvalInput input_;
  std::vector<Value> slots_;
};

}  // namespace millrace::worker
