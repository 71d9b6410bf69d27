#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

// null, false, zeros, empty texts and containers, the epoch.
bool IsZero(ValueArena* arena, const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return true;
    case ValueKind::kBool:
      return !value.boolean();
    case ValueKind::kInt:
      return value.integer() == 0;
    case ValueKind::kUint:
      return value.unsigned_integer() == 0;
    case ValueKind::kDouble:
      return value.real() == 0;
    case ValueKind::kString:
    case ValueKind::kBytes:
      return value.text().empty();
    case ValueKind::kTimestamp:
    case ValueKind::kDuration:
      return value.seconds() == 0 && value.nanos() == 0;
    case ValueKind::kList:
      return ListView(arena, value).size() == 0;
    case ValueKind::kMap:
      return MapSize(arena, value) == 0;
    case ValueKind::kOptional:
      return value.optional_value() == nullptr;
    case ValueKind::kStruct:
    case ValueKind::kType:
    case ValueKind::kError:
      break;
  }
  return false;
}

Value None(EvalContext&, Args) { return Value::Optional(nullptr); }
Value Of(EvalContext& context, Args args) { return MakeOptional(&context.arena(), args[0]); }
Value OfNonZero(EvalContext& context, Args args) {
  return IsZero(&context.arena(), args[0]) ? Value::Optional(nullptr)
                                           : MakeOptional(&context.arena(), args[0]);
}

Value HasValue(EvalContext& context, Args args) {
  return args[0].is_optional() ? Value::Bool(args[0].optional_value() != nullptr)
                               : context.NoOverload(args);
}
Value TakeValue(EvalContext& context, Args args) {
  if (!args[0].is_optional()) return context.NoOverload(args);
  return args[0].optional_value() != nullptr ? *args[0].optional_value()
                                             : context.Error("optional.none() has no value");
}
Value Or(EvalContext& context, Args args) {
  if (!args[0].is_optional() || !args[1].is_optional()) return context.NoOverload(args);
  return args[0].optional_value() != nullptr ? args[0] : args[1];
}
Value OrValue(EvalContext& context, Args args) {
  if (!args[0].is_optional()) return context.NoOverload(args);
  return args[0].optional_value() != nullptr ? *args[0].optional_value() : args[1];
}

Value Unwrap(EvalContext& context, Args args) {
  if (!args[0].is_list()) return context.NoOverload(args);
  const ListView items(&context.arena(), args[0]);
  std::vector<Value> present;
  for (size_t i = 0; i < items.size(); ++i) {
    const Value item = items[i];
    if (!item.is_optional()) return context.NoOverload(args);
    if (item.optional_value() != nullptr) present.push_back(*item.optional_value());
  }
  return MakeList(&context.arena(), present);
}

}  // namespace

void AddOptionalFunctions(FunctionTable* table) {
  table->Add("optional.none", false, None, {"optional_none: () -> optional<A>"});
  table->Add("optional.of", false, Of, {"optional_of: (A) -> optional<A>"});
  table->Add("optional.ofNonZeroValue", false, OfNonZero,
             {"optional_of_non_zero: (A) -> optional<A>"});
  table->Add("optional.unwrap", false, Unwrap, {"optional_unwrap: (list<optional<A>>) -> list<A>"});
  table->Add("unwrapOpt", true, Unwrap, {"optional_unwrap_method: (list<optional<A>>) -> list<A>"});
  table->Add("hasValue", true, HasValue, {"has_value: (optional<A>) -> bool"});
  table->Add("value", true, TakeValue, {"value: (optional<A>) -> A"});
  table->Add("or", true, Or, {"or: (optional<A>, optional<A>) -> optional<A>"});
  table->Add("orValue", true, OrValue, {"or_value: (optional<A>, A) -> A"});
}

}  // namespace millrace::worker
