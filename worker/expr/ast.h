#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/data/type.h"
#include "worker/expr/value.h"

namespace millrace::worker {

struct Overload;  // function_table.h
struct Function;

enum class ExprKind : uint8_t {
  kLiteral,  // value
  kIdent,    // name
  kSelect,   // args[0] . name; `optional`: .?name; `test_only`: has(x.name)
  kCall,     // op, or function `name`; a receiver is args[0] and sets `method`
  kList,     // args; optional_elements[i]: [?x]
  kMap,      // args = key, value, key, value ...; optional_elements[i] belongs to pair i
  kMacro,    // macro, see below
};

// Operators; kNone is a function call by name.
enum class Op : uint8_t {
  kNone,
  kConditional,  // args: condition, then, else
  kAnd,          // two or more args
  kOr,           // two or more args
  kNot,
  kNegate,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kIndex,  // args: operand, index; `optional`: a[?i]
};

// Macros stay nodes. args[0] is the range (kBind: the value; kOptMap, kOptFlatMap: the optional);
// the bodies follow. With var2 the list macros see index and element, or key and value; var1 alone
// is element or key.
enum class Macro : uint8_t {
  kNone,
  kAll,                // range, predicate
  kExists,             // range, predicate
  kExistsOne,          // range, predicate
  kFilter,             // range, predicate
  kMap,                // range, result, or range, predicate, result
  kTransformList,      // as kMap, with two variables
  kTransformMap,       // as kMap: values under the range's keys
  kTransformMapEntry,  // as kMap: the result is a map of entries
  kSortBy,             // list, key
  kBind,               // value, body
  kOptMap,             // optional, result
  kOptFlatMap,         // optional, result
};

// What a name stands for; set by the checker.
enum class Binding : uint8_t {
  kUnresolved,
  kField,  // `index` = position in ExprEnv::fields
  kTable,  // the node `tables.<name>`: `index` = position in ExprEnv::tables
  kLocal,  // macro variable: `index` = slot
  kType,   // a type denotation such as int: `value` holds it
};

// A node of a parsed expression. Plain data: the parser fills the upper part, the checker the lower
// part; afterwards it is read-only and thread-safe to read.
struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  Op op = Op::kNone;
  Macro macro = Macro::kNone;
  bool optional = false;
  bool test_only = false;
  bool method = false;
  bool absolute = false;  // kIdent with a leading dot: never a macro variable
  int offset = 0;         // bytes; operators point at the operator, calls at the function's name
  int begin = 0;          // where the text of the whole node begins
  int end = 0;            // and ends
  int height = 1;
  Value value;  // kLiteral; strings live in Ast::arena
  std::string name;
  std::string var1, var2;
  std::vector<std::unique_ptr<Expr>> args;
  std::vector<uint8_t> optional_elements;

  // ---- set by the checker ----
  Type type;  // json fields read as kDyn; nullable where the value may be null
  Binding binding = Binding::kUnresolved;
  int index = -1;                      // see Binding; kSelect on a struct: the field's position
  int slot1 = -1, slot2 = -1;          // kMacro: slots of var1 and var2
  const Function* function = nullptr;  // kCall without op; nullptr only in unchecked programs
  const Overload* overload =
      nullptr;  // the one overload that applies (operators too); nullptr: decided at run time
};
using ExprPtr = std::unique_ptr<Expr>;

// A parsed expression and the memory of its literals. Immutable once checked.
struct Ast {
  std::string text;
  ValueArena arena;
  ExprPtr root;
  int slots = 0;  // macro variables in use at once; set by the checker
};

}  // namespace millrace::worker
