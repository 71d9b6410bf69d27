#include <cmath>

#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/time_text.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

Value InRange(EvalContext& context, const std::optional<Value>& value) {
  return value ? *value : context.Error("the timestamp or duration is out of range");
}

Value AddTimes(EvalContext& context, Args args) {
  const Value& a = args[0];
  const Value& b = args[1];
  const auto sum = [&](auto make) {
    return InRange(context, make(a.seconds() + b.seconds(), int64_t{a.nanos()} + b.nanos()));
  };
  if (a.is_duration() && b.is_duration()) return sum(DurationInRange);
  if (a.is_duration() != b.is_duration() && (a.is_timestamp() || b.is_timestamp()) &&
      (a.is_duration() || b.is_duration())) {
    return sum(TimestampInRange);
  }
  return context.NoOverload(args);
}

Value Concatenate(EvalContext& context, std::string_view a, std::string_view b, bool bytes) {
  if (a.size() + b.size() > kMaxValueBytes)
    return context.Error("the string is longer than 16 MiB");
  char* target = static_cast<char*>(context.arena().Allocate(a.size() + b.size()));
  if (!a.empty()) std::memcpy(target, a.data(), a.size());
  if (!b.empty()) std::memcpy(target + a.size(), b.data(), b.size());
  const std::string_view both(target, a.size() + b.size());
  return bytes ? Value::Bytes(both) : Value::String(both);
}

Value ConcatenateLists(EvalContext& context, const Value& a, const Value& b) {
  const ListView left(&context.arena(), a);
  const ListView right(&context.arena(), b);
  const size_t size = left.size() + right.size();
  if (size > kMaxListElements) return context.Error("the list has more than 1,000,000 elements");
  Value* items = context.arena().NewArray<Value>(size);
  for (size_t i = 0; i < left.size(); ++i) items[i] = left[i];
  for (size_t i = 0; i < right.size(); ++i) items[left.size() + i] = right[i];
  return Value::List(items, size);
}

Value Add(EvalContext& context, Args args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.is_int() && b.is_int()) {
    int64_t sum = 0;
    if (__builtin_add_overflow(a.integer(), b.integer(), &sum))
      return context.Error("integer overflow");
    return Value::Int(sum);
  }
  if (a.is_uint() && b.is_uint()) {
    uint64_t sum = 0;
    if (__builtin_add_overflow(a.unsigned_integer(), b.unsigned_integer(), &sum))
      return context.Error("integer overflow");
    return Value::Uint(sum);
  }
  if (a.is_double() && b.is_double()) return Value::Double(a.real() + b.real());
  if (a.is_string() && b.is_string()) return Concatenate(context, a.text(), b.text(), false);
  if (a.is_bytes() && b.is_bytes()) return Concatenate(context, a.text(), b.text(), true);
  if (a.is_list() && b.is_list()) return ConcatenateLists(context, a, b);
  return AddTimes(context, args);
}

Value Subtract(EvalContext& context, Args args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.is_int() && b.is_int()) {
    int64_t difference = 0;
    if (__builtin_sub_overflow(a.integer(), b.integer(), &difference))
      return context.Error("integer overflow");
    return Value::Int(difference);
  }
  if (a.is_uint() && b.is_uint()) {
    uint64_t difference = 0;
    if (__builtin_sub_overflow(a.unsigned_integer(), b.unsigned_integer(), &difference)) {
      return context.Error("integer overflow");
    }
    return Value::Uint(difference);
  }
  if (a.is_double() && b.is_double()) return Value::Double(a.real() - b.real());
  if (!(a.is_timestamp() || a.is_duration()) || !(b.is_timestamp() || b.is_duration()) ||
      (a.is_duration() && b.is_timestamp())) {
    return context.NoOverload(args);
  }
  const int64_t seconds = a.seconds() - b.seconds();
  const int64_t nanos = int64_t{a.nanos()} - b.nanos();
  const bool timestamp = a.is_timestamp() && b.is_duration();
  return InRange(context,
                 timestamp ? TimestampInRange(seconds, nanos) : DurationInRange(seconds, nanos));
}

Value Multiply(EvalContext& context, Args args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.is_int() && b.is_int()) {
    int64_t product = 0;
    if (__builtin_mul_overflow(a.integer(), b.integer(), &product))
      return context.Error("integer overflow");
    return Value::Int(product);
  }
  if (a.is_uint() && b.is_uint()) {
    uint64_t product = 0;
    if (__builtin_mul_overflow(a.unsigned_integer(), b.unsigned_integer(), &product)) {
      return context.Error("integer overflow");
    }
    return Value::Uint(product);
  }
  if (a.is_double() && b.is_double()) return Value::Double(a.real() * b.real());
  return context.NoOverload(args);
}

Value Divide(EvalContext& context, Args args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.is_int() && b.is_int()) {
    if (b.integer() == 0) return context.Error("division by zero");
    if (a.integer() == INT64_MIN && b.integer() == -1) return context.Error("integer overflow");
    return Value::Int(a.integer() / b.integer());
  }
  if (a.is_uint() && b.is_uint()) {
    if (b.unsigned_integer() == 0) return context.Error("division by zero");
    return Value::Uint(a.unsigned_integer() / b.unsigned_integer());
  }
  if (a.is_double() && b.is_double()) return Value::Double(a.real() / b.real());
  return context.NoOverload(args);
}

Value Modulo(EvalContext& context, Args args) {
  const Value& a = args[0];
  const Value& b = args[1];
  if (a.is_int() && b.is_int()) {
    if (b.integer() == 0) return context.Error("modulus by zero");
    if (b.integer() == -1 && a.integer() == INT64_MIN) return context.Error("integer overflow");
    return Value::Int(a.integer() % b.integer());
  }
  if (a.is_uint() && b.is_uint()) {
    if (b.unsigned_integer() == 0) return context.Error("modulus by zero");
    return Value::Uint(a.unsigned_integer() % b.unsigned_integer());
  }
  return context.NoOverload(args);
}

Value Negate(EvalContext& context, Args args) {
  if (args[0].is_double()) return Value::Double(-args[0].real());
  if (!args[0].is_int()) return context.NoOverload(args);
  if (args[0].integer() == INT64_MIN) return context.Error("integer overflow");
  return Value::Int(-args[0].integer());
}

Value Not(EvalContext& context, Args args) {
  return args[0].is_bool() ? Value::Bool(!args[0].boolean()) : context.NoOverload(args);
}

Value Equal(EvalContext& context, Args args) {
  return Value::Bool(ValuesEqual(&context.arena(), args[0], args[1]));
}
Value NotEqual(EvalContext& context, Args args) {
  return Value::Bool(!ValuesEqual(&context.arena(), args[0], args[1]));
}

template <typename Test>
Value Ordered(EvalContext& context, Args args, Test test) {
  const auto order = CompareValues(args[0], args[1]);
  return order ? Value::Bool(test(*order)) : context.NoOverload(args);
}
Value Less(EvalContext& context, Args args) {
  return Ordered(context, args, [](std::partial_ordering order) { return order < 0; });
}
Value LessEqual(EvalContext& context, Args args) {
  return Ordered(context, args, [](std::partial_ordering order) { return order <= 0; });
}
Value Greater(EvalContext& context, Args args) {
  return Ordered(context, args, [](std::partial_ordering order) { return order > 0; });
}
Value GreaterEqual(EvalContext& context, Args args) {
  return Ordered(context, args, [](std::partial_ordering order) { return order >= 0; });
}

Value In(EvalContext& context, Args args) {
  if (args[1].is_map() || args[1].is_struct()) {
    Value found;
    return Value::Bool(FindKey(&context.arena(), args[1], args[0], &found));
  }
  if (!args[1].is_list()) return context.NoOverload(args);
  const ListView items(&context.arena(), args[1]);
  for (size_t i = 0; i < items.size(); ++i) {
    if (ValuesEqual(&context.arena(), args[0], items[i])) return Value::Bool(true);
  }
  return Value::Bool(false);
}

}  // namespace

void AddOperators(FunctionTable* table) {
  table->AddOperator(
      Op::kAdd, Add,
      {"add_int: (int, int) -> int", "add_uint: (uint, uint) -> uint",
       "add_double: (double, double) -> double", "add_string: (string, string) -> string",
       "add_bytes: (bytes, bytes) -> bytes", "add_list: (list<A>, list<A>) -> list<A>",
       "add_timestamp_duration: (timestamp, duration) -> timestamp",
       "add_duration_timestamp: (duration, timestamp) -> timestamp",
       "add_duration: (duration, duration) -> duration"});
  table->AddOperator(Op::kSubtract, Subtract,
                     {"subtract_int: (int, int) -> int", "subtract_uint: (uint, uint) -> uint",
                      "subtract_double: (double, double) -> double",
                      "subtract_timestamp_timestamp: (timestamp, timestamp) -> duration",
                      "subtract_timestamp_duration: (timestamp, duration) -> timestamp",
                      "subtract_duration: (duration, duration) -> duration"});
  table->AddOperator(Op::kMultiply, Multiply,
                     {"multiply_int: (int, int) -> int", "multiply_uint: (uint, uint) -> uint",
                      "multiply_double: (double, double) -> double"});
  table->AddOperator(Op::kDivide, Divide,
                     {"divide_int: (int, int) -> int", "divide_uint: (uint, uint) -> uint",
                      "divide_double: (double, double) -> double"});
  table->AddOperator(Op::kModulo, Modulo,
                     {"modulo_int: (int, int) -> int", "modulo_uint: (uint, uint) -> uint"});
  table->AddOperator(Op::kNegate, Negate,
                     {"negate_int: (int) -> int", "negate_double: (double) -> double"});
  table->AddOperator(Op::kNot, Not, {"not: (bool) -> bool"});
  table->AddOperator(Op::kEqual, Equal, {"equal: (A, A) -> bool"});
  table->AddOperator(Op::kNotEqual, NotEqual, {"not_equal: (A, A) -> bool"});
  const std::vector<std::string_view> orders = {"order_bool: (bool, bool) -> bool",
                                                "order_int: (int, int) -> bool",
                                                "order_uint: (uint, uint) -> bool",
                                                "order_double: (double, double) -> bool",
                                                "order_string: (string, string) -> bool",
                                                "order_bytes: (bytes, bytes) -> bool",
                                                "order_timestamp: (timestamp, timestamp) -> bool",
                                                "order_duration: (duration, duration) -> bool",
                                                "order_int_uint: (int, uint) -> bool",
                                                "order_int_double: (int, double) -> bool",
                                                "order_uint_int: (uint, int) -> bool",
                                                "order_uint_double: (uint, double) -> bool",
                                                "order_double_int: (double, int) -> bool",
                                                "order_double_uint: (double, uint) -> bool"};
  table->AddOperator(Op::kLess, Less, orders);
  table->AddOperator(Op::kLessEqual, LessEqual, orders);
  table->AddOperator(Op::kGreater, Greater, orders);
  table->AddOperator(Op::kGreaterEqual, GreaterEqual, orders);
  table->AddOperator(Op::kIn, In,
                     {"in_list: (A, list<A>) -> bool", "in_map: (A, map<A,B>) -> bool"});
}

}  // namespace millrace::worker
