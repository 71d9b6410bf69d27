#include "worker/expr/evaluator.h"
#include "worker/expr/sort_values.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {

Value Evaluator::EvalMacro(const Expr& node) {
  Value range = Eval(*node.args[0]);
  if (range.is_error()) return range;
  if (node.macro == Macro::kBind) {
    slots_[static_cast<size_t>(node.slot1)] = range;
    return Eval(*node.args[1]);
  }
  if (node.macro == Macro::kOptMap || node.macro == Macro::kOptFlatMap)
    return EvalOptionalMacro(node, range);
  if (range.is_struct() || range.is_map()) {
    range = Value::Map(&MapOf(arena(), range));
  } else if (!range.is_list()) {
    return Error(node, node.name + "() runs over a list or a map; this is " +
                           std::string(TypeNameOf(range)));
  }
  const bool quantifier =
      node.macro == Macro::kAll || node.macro == Macro::kExists || node.macro == Macro::kExistsOne;
  return quantifier ? EvalQuantifier(node, range) : EvalTransform(node, range);
}

Value Evaluator::EvalOptionalMacro(const Expr& node, const Value& optional) {
  if (!optional.is_optional()) return Error(node, node.name + "() is called on an optional value");
  if (optional.optional_value() == nullptr) return optional;
  slots_[static_cast<size_t>(node.slot1)] = *optional.optional_value();
  const Value result = Eval(*node.args[1]);
  if (result.is_error()) return result;
  if (node.macro == Macro::kOptMap) return MakeOptional(arena(), result);
  return result.is_optional() ? result : Error(node, "the result of optFlatMap() must be optional");
}

bool Evaluator::Bind(const Expr& node, const Value& range, size_t i) {
  Value key;
  Value element;
  if (range.is_map()) {
    key = range.map().entries[i].key;
    element = range.map().entries[i].value;
  } else {
    element = ListView(arena(), range)[i];
    key = Value::Int(static_cast<int64_t>(i));
  }
  const bool both = node.slot2 >= 0;
  slots_[static_cast<size_t>(node.slot1)] = both || range.is_map() ? key : element;
  if (both) slots_[static_cast<size_t>(node.slot2)] = element;
  return ++context_.steps_ <= kMaxMacroSteps && arena()->block_bytes() <= kMaxEvalBytes;
}

namespace {

constexpr std::string_view kTooManySteps =
    "the macros of this expression took more than 10,000,000 steps or 512 MiB";

// JSON lists are cut once, not at every step.
Value Indexable(ValueArena* arena, const Value& range) {
  if (!range.is_list() || range.form() != Value::Form::kJson) return range;
  const ListView items(arena, range);
  Value* plain = arena->NewArray<Value>(items.size());
  for (size_t i = 0; i < items.size(); ++i) plain[i] = items[i];
  return Value::List(plain, items.size());
}

size_t RangeSize(ValueArena* arena, const Value& range) {
  return range.is_map() ? range.map().size : ListView(arena, range).size();
}

}  // namespace

// all() and exists() absorb errors where a later element decides; existsOne() does not.
Value Evaluator::EvalQuantifier(const Expr& node, const Value& given) {
  const Value range = Indexable(arena(), given);
  const size_t size = RangeSize(arena(), range);
  const bool decisive = node.macro == Macro::kExists;
  Value failed;
  size_t found = 0;
  for (size_t i = 0; i < size; ++i) {
    if (!Bind(node, range, i)) return Error(node, kTooManySteps);
    Value value = Eval(*node.args[1]);
    if (!value.is_bool()) {
      if (!value.is_error())
        value = Error(*node.args[1], "the predicate of " + node.name + "() is not bool");
      if (node.macro == Macro::kExistsOne) return value;
      if (!failed.is_error()) failed = value;
      continue;
    }
    if (node.macro == Macro::kExistsOne) {
      found += value.boolean() ? 1 : 0;
    } else if (value.boolean() == decisive) {
      return value;
    }
  }
  if (node.macro == Macro::kExistsOne) return Value::Bool(found == 1);
  return failed.is_error() ? failed : Value::Bool(!decisive);
}

Value Evaluator::EvalTransform(const Expr& node, const Value& given) {
  const Value range = Indexable(arena(), given);
  const size_t size = RangeSize(arena(), range);
  const bool filters = node.macro == Macro::kFilter || node.args.size() == 3;
  const bool to_map = node.macro == Macro::kTransformMap || node.macro == Macro::kTransformMapEntry;
  std::vector<Value> items;
  std::vector<Value> keys;  // of sortBy()
  std::vector<MapEntry> entries;
  for (size_t i = 0; i < size; ++i) {
    if (!Bind(node, range, i)) return Error(node, kTooManySteps);
    const Value first = slots_[static_cast<size_t>(node.slot1)];
    if (filters) {
      const Value keep = Eval(*node.args[1]);
      if (keep.is_error()) return keep;
      if (!keep.is_bool())
        return Error(*node.args[1], "the predicate of " + node.name + "() is not bool");
      if (!keep.boolean()) continue;
    }
    if (node.macro == Macro::kSortBy) items.push_back(first);
    Value result = node.macro == Macro::kFilter ? first : Eval(*node.args.back());
    if (result.is_error()) return result;
    if (node.macro == Macro::kSortBy) {
      keys.push_back(result);
    } else if (!to_map) {
      items.push_back(result);
    } else if (Value error; !AddTransformed(node, first, result, &entries, &error)) {
      return error;
    }
  }
  if (node.macro == Macro::kSortBy && !SortValues(keys, &items)) {
    return Error(node, "the keys of sortBy() are not of one ordered type");
  }
  if (!to_map) return MakeList(arena(), items);
  const std::optional<Value> map = MakeMap(arena(), entries);
  return map ? *map : Error(node, "a map key is repeated");
}

bool Evaluator::AddTransformed(const Expr& node, const Value& key, const Value& result,
                               std::vector<MapEntry>* entries, Value* error) {
  if (node.macro == Macro::kTransformMap) {
    entries->push_back({key, result});
    return true;
  }
  if (!result.is_map() || MapSize(arena(), result) != 1) {
    *error = Error(node, "the result of transformMapEntry() must be a map with one entry");
    return false;
  }
  entries->push_back(MapOf(arena(), result).entries[0]);
  return true;
}

}  // namespace millrace::worker
