#include <algorithm>

#include "worker/expr/code_points.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/sort_values.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

std::vector<Value> Items(EvalContext& context, const Value& list) {
  const ListView view(&context.arena(), list);
  std::vector<Value> items;
  items.reserve(view.size());
  for (size_t i = 0; i < view.size(); ++i) items.push_back(view[i]);
  return items;
}

Value Slice(EvalContext& context, Args args) {
  if (!args[0].is_list() || !args[1].is_int() || !args[2].is_int()) return context.NoOverload(args);
  const std::vector<Value> items = Items(context, args[0]);
  const int64_t begin = args[1].integer();
  const int64_t end = args[2].integer();
  if (begin < 0 || begin > end || end > static_cast<int64_t>(items.size())) {
    return context.Error("cannot slice(" + std::to_string(begin) + ", " + std::to_string(end) +
                         ") a list of " + std::to_string(items.size()));
  }
  return MakeList(&context.arena(), std::span(items).subspan(static_cast<size_t>(begin),
                                                             static_cast<size_t>(end - begin)));
}

// Returns false when the result grows too long.
bool Flatten(ValueArena* arena, const Value& list, int64_t depth, std::vector<Value>* out) {
  const ListView items(arena, list);
  for (size_t i = 0; i < items.size(); ++i) {
    const Value item = items[i];
    if (item.is_list() && depth > 0) {
      if (!Flatten(arena, item, depth - 1, out)) return false;
    } else {
      out->push_back(item);
    }
    if (out->size() > kMaxListElements) return false;
  }
  return true;
}

Value FlattenList(EvalContext& context, Args args) {
  if (!args[0].is_list() || (args.size() > 1 && !args[1].is_int())) return context.NoOverload(args);
  const int64_t depth = args.size() > 1 ? args[1].integer() : 1;
  if (depth < 0) return context.Error("the depth of flatten() is negative");
  std::vector<Value> items;
  if (!Flatten(&context.arena(), args[0], depth, &items))
    return context.Error("the list has more than 1,000,000 elements");
  return MakeList(&context.arena(), items);
}

Value Sort(EvalContext& context, Args args) {
  if (!args[0].is_list()) return context.NoOverload(args);
  std::vector<Value> items = Items(context, args[0]);
  if (!SortValues(items, &items)) return context.Error("sort() takes values of one ordered type");
  return MakeList(&context.arena(), items);
}

Value Distinct(EvalContext& context, Args args) {
  if (!args[0].is_list()) return context.NoOverload(args);
  const std::vector<Value> items = Items(context, args[0]);
  std::vector<Value> kept;
  size_t steps = 0;
  for (const Value& item : items) {
    const bool seen = std::ranges::any_of(kept, [&](const Value& other) {
      ++steps;
      return ValuesEqual(&context.arena(), item, other);
    });
    if (steps > kMaxMacroSteps) return context.Error("distinct() took more than 10,000,000 steps");
    if (!seen) kept.push_back(item);
  }
  return MakeList(&context.arena(), kept);
}

Value ReverseText(EvalContext& context, std::string_view text) {
  const CodePoints points(text);
  std::string reversed;
  for (int64_t i = points.size(); i-- > 0;) reversed.append(points.Slice(i, i + 1));
  return context.String(reversed);
}

Value Reverse(EvalContext& context, Args args) {
  if (args[0].is_string()) return ReverseText(context, args[0].text());
  if (!args[0].is_list()) return context.NoOverload(args);
  std::vector<Value> items = Items(context, args[0]);
  std::ranges::reverse(items);
  return MakeList(&context.arena(), items);
}

Value Range(EvalContext& context, Args args) {
  if (!args[0].is_int()) return context.NoOverload(args);
  const int64_t size = std::max<int64_t>(args[0].integer(), 0);
  if (size > static_cast<int64_t>(kMaxListElements))
    return context.Error("the list has more than 1,000,000 elements");
  Value* items = context.arena().NewArray<Value>(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) items[i] = Value::Int(i);
  return Value::List(items, static_cast<size_t>(size));
}

template <bool kLast>
Value End(EvalContext& context, Args args) {
  if (!args[0].is_list()) return context.NoOverload(args);
  const ListView items(&context.arena(), args[0]);
  if (items.size() == 0) return Value::Optional(nullptr);
  return MakeOptional(&context.arena(), items[kLast ? items.size() - 1 : 0]);
}

}  // namespace

bool SortValues(std::span<const Value> keys, std::vector<Value>* values) {
  std::vector<size_t> order(keys.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (const Value& key : keys) {
    const bool number = key.is_number() && keys[0].is_number();
    if ((key.kind() != keys[0].kind() && !number) || !CompareValues(key, key)) return false;
  }
  const auto nan = [](const Value& v) { return v.is_double() && v.real() != v.real(); };
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    if (nan(keys[a]) || nan(keys[b])) return !nan(keys[a]) && nan(keys[b]);
    return *CompareValues(keys[a], keys[b]) < 0;
  });
  std::vector<Value> sorted;
  sorted.reserve(order.size());
  for (size_t i : order) sorted.push_back((*values)[i]);
  *values = std::move(sorted);
  return true;
}

void AddListFunctions(FunctionTable* table) {
  table->Add("slice", true, Slice, {"slice: (list<A>, int, int) -> list<A>"});
  table->Add("flatten", true, FlattenList,
             {"flatten: (list<list<A>>) -> list<A>", "flatten_flat: (list<A>) -> list<A>",
              "flatten_depth: (list<dyn>, int) -> list<dyn>"});
  table->Add("sort", true, Sort, {"sort: (list<A>) -> list<A>"});
  table->Add("distinct", true, Distinct, {"distinct: (list<A>) -> list<A>"});
  table->Add("reverse", true, Reverse,
             {"reverse_string: (string) -> string", "reverse_list: (list<A>) -> list<A>"});
  table->Add("lists.range", false, Range, {"range: (int) -> list<int>"});
  table->Add("first", true, End<false>, {"first: (list<A>) -> optional<A>"});
  table->Add("last", true, End<true>, {"last: (list<A>) -> optional<A>"});
}

}  // namespace millrace::worker
