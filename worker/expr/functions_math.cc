#include <cmath>

#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

template <double (*kFunction)(double)>
Value OfDouble(EvalContext& context, Args args) {
  return args[0].is_double() ? Value::Double(kFunction(args[0].real())) : context.NoOverload(args);
}

template <bool (*kTest)(double)>
Value TestDouble(EvalContext& context, Args args) {
  return args[0].is_double() ? Value::Bool(kTest(args[0].real())) : context.NoOverload(args);
}

double Ceil(double x) { return std::ceil(x); }
double Floor(double x) { return std::floor(x); }
double Round(double x) { return std::round(x); }
double Trunc(double x) { return std::trunc(x); }
double SquareRoot(double x) { return std::sqrt(x); }
double Exponential(double x) { return std::exp(x); }
double Logarithm(double x) { return std::log(x); }
bool IsNan(double x) { return std::isnan(x); }
bool IsInfinite(double x) { return std::isinf(x); }
bool IsFinite(double x) { return std::isfinite(x); }

bool AsDouble(const Value& value, double* real) {
  if (value.is_double()) *real = value.real();
  if (value.is_int()) *real = static_cast<double>(value.integer());
  if (value.is_uint()) *real = static_cast<double>(value.unsigned_integer());
  return value.is_number();
}

template <double (*kFunction)(double)>
Value OfNumber(EvalContext& context, Args args) {
  double x = 0;
  return AsDouble(args[0], &x) ? Value::Double(kFunction(x)) : context.NoOverload(args);
}

Value Power(EvalContext& context, Args args) {
  double x = 0;
  double y = 0;
  if (!AsDouble(args[0], &x) || !AsDouble(args[1], &y)) return context.NoOverload(args);
  return Value::Double(std::pow(x, y));
}

Value Dot(EvalContext& context, Args args) {
  if (!args[0].is_list() || !args[1].is_list()) return context.NoOverload(args);
  const ListView left(&context.arena(), args[0]);
  const ListView right(&context.arena(), args[1]);
  if (left.size() != right.size()) return context.Error("dot() takes lists of equal length");
  double sum = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    double x = 0;
    double y = 0;
    if (!AsDouble(left[i], &x) || !AsDouble(right[i], &y))
      return context.Error("dot() takes lists of numbers");
    sum += x * y;
  }
  return Value::Double(sum);
}

// The extreme of the arguments, or of the one list argument; the first of equal ones.
template <bool kGreatest>
Value Extreme(EvalContext& context, Args args) {
  std::vector<Value> items(args.begin(), args.end());
  if (args.size() == 1 && args[0].is_list()) {
    const ListView list(&context.arena(), args[0]);
    if (list.size() == 0) return context.Error("the list is empty");
    items.clear();
    for (size_t i = 0; i < list.size(); ++i) items.push_back(list[i]);
  }
  Value best = items[0];
  for (const Value& item : items) {
    if (!item.is_number()) return context.NoOverload(args);
    const auto order = CompareValues(item, best);
    if (order && (kGreatest ? *order > 0 : *order < 0)) best = item;
  }
  return best;
}

Value Absolute(EvalContext& context, Args args) {
  if (args[0].is_double()) return Value::Double(std::fabs(args[0].real()));
  if (args[0].is_uint()) return args[0];
  if (!args[0].is_int()) return context.NoOverload(args);
  if (args[0].integer() == INT64_MIN) return context.Error("integer overflow");
  return Value::Int(std::abs(args[0].integer()));
}

Value Sign(EvalContext& context, Args args) {
  const Value& x = args[0];
  if (x.is_int()) return Value::Int((x.integer() > 0) - (x.integer() < 0));
  if (x.is_uint()) return Value::Uint(x.unsigned_integer() > 0 ? 1 : 0);
  if (!x.is_double()) return context.NoOverload(args);
  return Value::Double(std::isnan(x.real()) ? x.real() : (x.real() > 0) - (x.real() < 0));
}

template <typename Combine>
Value CombineBits(EvalContext& context, Args args, Combine combine) {
  if (args[0].is_int() && args[1].is_int()) {
    const auto a = static_cast<uint64_t>(args[0].integer());
    const auto b = static_cast<uint64_t>(args[1].integer());
    return Value::Int(static_cast<int64_t>(combine(a, b)));
  }
  if (!args[0].is_uint() || !args[1].is_uint()) return context.NoOverload(args);
  return Value::Uint(combine(args[0].unsigned_integer(), args[1].unsigned_integer()));
}
Value BitAnd(EvalContext& context, Args args) {
  return CombineBits(context, args, [](uint64_t a, uint64_t b) { return a & b; });
}
Value BitOr(EvalContext& context, Args args) {
  return CombineBits(context, args, [](uint64_t a, uint64_t b) { return a | b; });
}
Value BitXor(EvalContext& context, Args args) {
  return CombineBits(context, args, [](uint64_t a, uint64_t b) { return a ^ b; });
}
Value BitNot(EvalContext& context, Args args) {
  if (args[0].is_int()) return Value::Int(~args[0].integer());
  return args[0].is_uint() ? Value::Uint(~args[0].unsigned_integer()) : context.NoOverload(args);
}

// Shifts fill with zeros; 64 and more give 0.
template <bool kLeft>
Value Shift(EvalContext& context, Args args) {
  if (!(args[0].is_int() || args[0].is_uint()) || !args[1].is_int())
    return context.NoOverload(args);
  const int64_t by = args[1].integer();
  if (by < 0) return context.Error("negative offset of a shift");
  const uint64_t bits =
      args[0].is_int() ? static_cast<uint64_t>(args[0].integer()) : args[0].unsigned_integer();
  const uint64_t shifted = by >= 64 ? 0 : (kLeft ? bits << by : bits >> by);
  return args[0].is_int() ? Value::Int(static_cast<int64_t>(shifted)) : Value::Uint(shifted);
}

}  // namespace

void AddMathFunctions(FunctionTable* table) {
  table->Add("math.greatest", false, Extreme<true>,
             {"greatest_int: (int, int...) -> int", "greatest_uint: (uint, uint...) -> uint",
              "greatest_double: (double, double...) -> double", "greatest_list: (list<A>) -> A",
              "greatest_dyn: (dyn, dyn...) -> dyn"});
  table->Add("math.least", false, Extreme<false>,
             {"least_int: (int, int...) -> int", "least_uint: (uint, uint...) -> uint",
              "least_double: (double, double...) -> double", "least_list: (list<A>) -> A",
              "least_dyn: (dyn, dyn...) -> dyn"});
  table->Add("math.ceil", false, OfDouble<Ceil>, {"ceil: (double) -> double"});
  table->Add("math.floor", false, OfDouble<Floor>, {"floor: (double) -> double"});
  table->Add("math.round", false, OfDouble<Round>, {"round: (double) -> double"});
  table->Add("math.trunc", false, OfDouble<Trunc>, {"trunc: (double) -> double"});
  table->Add("math.isNaN", false, TestDouble<IsNan>, {"is_nan: (double) -> bool"});
  table->Add("math.isInf", false, TestDouble<IsInfinite>, {"is_inf: (double) -> bool"});
  table->Add("math.isFinite", false, TestDouble<IsFinite>, {"is_finite: (double) -> bool"});
  const auto numbers = [table](std::string_view name, FunctionBody body,
                               std::vector<std::string_view> overloads) {
    table->Add(name, false, body, std::move(overloads));
  };
  numbers("math.sqrt", OfNumber<SquareRoot>,
          {"sqrt_double: (double) -> double", "sqrt_int: (int) -> double",
           "sqrt_uint: (uint) -> double"});
  numbers("exp", OfNumber<Exponential>,
          {"exp_double: (double) -> double", "exp_int: (int) -> double"});
  numbers("ln", OfNumber<Logarithm>, {"ln_double: (double) -> double", "ln_int: (int) -> double"});
  numbers("pow", Power,
          {"pow_double: (double, double) -> double", "pow_double_int: (double, int) -> double",
           "pow_int_double: (int, double) -> double", "pow_int: (int, int) -> double"});
  numbers("dot", Dot,
          {"dot_double: (list<double>, list<double>) -> double",
           "dot_int: (list<int>, list<int>) -> double"});
  numbers("math.abs", Absolute,
          {"abs_int: (int) -> int", "abs_uint: (uint) -> uint", "abs_double: (double) -> double"});
  numbers(
      "math.sign", Sign,
      {"sign_int: (int) -> int", "sign_uint: (uint) -> uint", "sign_double: (double) -> double"});
  numbers("math.bitAnd", BitAnd,
          {"bit_and_int: (int, int) -> int", "bit_and_uint: (uint, uint) -> uint"});
  numbers("math.bitOr", BitOr,
          {"bit_or_int: (int, int) -> int", "bit_or_uint: (uint, uint) -> uint"});
  numbers("math.bitXor", BitXor,
          {"bit_xor_int: (int, int) -> int", "bit_xor_uint: (uint, uint) -> uint"});
  numbers("math.bitNot", BitNot, {"bit_not_int: (int) -> int", "bit_not_uint: (uint) -> uint"});
  numbers("math.bitShiftLeft", Shift<true>,
          {"bit_left_int: (int, int) -> int", "bit_left_uint: (uint, int) -> uint"});
  numbers("math.bitShiftRight", Shift<false>,
          {"bit_right_int: (int, int) -> int", "bit_right_uint: (uint, int) -> uint"});
}

}  // namespace millrace::worker
