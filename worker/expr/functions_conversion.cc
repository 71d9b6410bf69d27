#include <charconv>
#include <cmath>

#include "crds/base/text.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/number_text.h"
#include "worker/expr/time_text.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

// All of `text` as a number in base 10, with an optional sign.
template <typename T>
bool ParseWhole(std::string_view text, T* value) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return code == std::errc() && end == text.data() + text.size();
}

Value BadText(EvalContext& context, std::string_view type, std::string_view text) {
  return context.Error(JsonQuote(Excerpt(text, 60)) + " is no " + std::string(type));
}

Value ToInt(EvalContext& context, Args args) {
  const Value& value = args[0];
  if (value.is_int()) return value;
  if (value.is_uint()) {
    if (value.unsigned_integer() > static_cast<uint64_t>(INT64_MAX))
      return context.Error("integer overflow: out of int's range");
    return Value::Int(static_cast<int64_t>(value.unsigned_integer()));
  }
  if (value.is_double()) {
    if (!(value.real() > -0x1p63 && value.real() < 0x1p63))
      return context.Error("integer overflow: out of int's range");
    return Value::Int(static_cast<int64_t>(value.real()));
  }
  if (value.is_string()) {
    int64_t parsed = 0;
    return ParseWhole(value.text(), &parsed) ? Value::Int(parsed)
                                             : BadText(context, "int", value.text());
  }
  return value.is_timestamp() ? Value::Int(value.seconds()) : context.NoOverload(args);
}

Value ToUint(EvalContext& context, Args args) {
  const Value& value = args[0];
  if (value.is_uint()) return value;
  if (value.is_int()) {
    if (value.integer() < 0) return context.Error("integer overflow: out of uint's range");
    return Value::Uint(static_cast<uint64_t>(value.integer()));
  }
  if (value.is_double()) {
    if (!(value.real() > -1 && value.real() < 0x1p64))
      return context.Error("integer overflow: out of uint's range");
    return Value::Uint(static_cast<uint64_t>(value.real()));
  }
  if (!value.is_string()) return context.NoOverload(args);
  uint64_t parsed = 0;
  return ParseWhole(value.text(), &parsed) ? Value::Uint(parsed)
                                           : BadText(context, "uint", value.text());
}

Value ToDouble(EvalContext& context, Args args) {
  const Value& value = args[0];
  if (value.is_double()) return value;
  if (value.is_int()) return Value::Double(static_cast<double>(value.integer()));
  if (value.is_uint()) return Value::Double(static_cast<double>(value.unsigned_integer()));
  if (!value.is_string()) return context.NoOverload(args);
  double parsed = 0;
  return ParseDoubleText(value.text(), &parsed) ? Value::Double(parsed)
                                                : BadText(context, "double", value.text());
}

Value ToText(EvalContext& context, Args args) {
  const Value& value = args[0];
  if (value.is_string()) return value;
  if (value.is_bool()) return Value::String(value.boolean() ? "true" : "false");
  if (value.is_int()) return context.String(std::to_string(value.integer()));
  if (value.is_uint()) return context.String(std::to_string(value.unsigned_integer()));
  if (value.is_double()) return context.String(DoubleText(value.real()));
  if (value.is_timestamp()) return context.String(TimestampText(value));
  if (value.is_duration()) return context.String(DurationText(value));
  if (!value.is_bytes()) return context.NoOverload(args);
  return IsValidUtf8(value.text()) ? Value::String(value.text())
                                   : context.Error("the bytes are not valid UTF-8");
}

Value ToBytes(EvalContext& context, Args args) {
  if (args[0].is_bytes()) return args[0];
  return args[0].is_string() ? Value::Bytes(args[0].text()) : context.NoOverload(args);
}

Value ToBool(EvalContext& context, Args args) {
  if (args[0].is_bool()) return args[0];
  if (!args[0].is_string()) return context.NoOverload(args);
  const std::string_view text = args[0].text();
  for (std::string_view yes : {"1", "t", "true", "TRUE", "True"}) {
    if (text == yes) return Value::Bool(true);
  }
  for (std::string_view no : {"0", "f", "false", "FALSE", "False"}) {
    if (text == no) return Value::Bool(false);
  }
  return BadText(context, "bool", text);
}

Value ToTimestamp(EvalContext& context, Args args) {
  if (args[0].is_timestamp()) return args[0];
  std::optional<Value> result;
  if (args[0].is_int()) {
    result = TimestampInRange(args[0].integer(), 0);
    return result ? *result : context.Error("the timestamp is out of range");
  }
  if (!args[0].is_string()) return context.NoOverload(args);
  result = ParseTimestampText(args[0].text());
  return result ? *result
                : BadText(context, "timestamp in the years 1 to 9999, as 2024-06-01T00:00:00Z",
                          args[0].text());
}

Value ToDuration(EvalContext& context, Args args) {
  if (args[0].is_duration()) return args[0];
  std::optional<Value> result;
  if (args[0].is_int()) {
    result = DurationInRange(args[0].integer(), 0);
    return result ? *result : context.Error("the duration is out of range");
  }
  if (!args[0].is_string()) return context.NoOverload(args);
  result = ParseDurationText(args[0].text());
  return result ? *result : BadText(context, "duration within 290 years, as 1h30m", args[0].text());
}

Value TypeOf(EvalContext&, Args args) { return Value::TypeName(TypeNameOf(args[0])); }
Value ToDyn(EvalContext&, Args args) { return args[0]; }

Value Size(EvalContext& context, Args args) {
  const Value& value = args[0];
  if (value.is_bytes()) return Value::Int(static_cast<int64_t>(value.text().size()));
  if (value.is_list())
    return Value::Int(static_cast<int64_t>(ListView(&context.arena(), value).size()));
  if (value.is_map()) return Value::Int(static_cast<int64_t>(MapSize(&context.arena(), value)));
  if (!value.is_string()) return context.NoOverload(args);
  int64_t size = 0;
  for (char c : value.text()) size += (c & 0xc0) != 0x80 ? 1 : 0;
  return Value::Int(size);
}

}  // namespace

bool ParseDoubleText(std::string_view text, double* value) {
  const bool negative = text.starts_with('-');
  std::string_view digits = text.substr(negative || text.starts_with('+') ? 1 : 0);
  const std::string word = ToLowerAscii(digits);
  if (word == "nan" || word == "inf" || word == "infinity") {
    *value = word == "nan" ? NAN : (negative ? -INFINITY : INFINITY);
    return true;
  }
  if (digits.empty() || !(digits[0] == '.' || (digits[0] >= '0' && digits[0] <= '9'))) return false;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), *value);
  if (end != digits.data() + digits.size()) return false;
  if (negative) *value = -*value;
  return code == std::errc();
}

void AddConversionFunctions(FunctionTable* table) {
  table->Add("int", false, ToInt,
             {"int_int: (int) -> int", "int_uint: (uint) -> int", "int_double: (double) -> int",
              "int_string: (string) -> int", "int_timestamp: (timestamp) -> int"});
  table->Add("uint", false, ToUint,
             {"uint_uint: (uint) -> uint", "uint_int: (int) -> uint",
              "uint_double: (double) -> uint", "uint_string: (string) -> uint"});
  table->Add("double", false, ToDouble,
             {"double_double: (double) -> double", "double_int: (int) -> double",
              "double_uint: (uint) -> double", "double_string: (string) -> double"});
  table->Add("string", false, ToText,
             {"string_string: (string) -> string", "string_bool: (bool) -> string",
              "string_int: (int) -> string", "string_uint: (uint) -> string",
              "string_double: (double) -> string", "string_bytes: (bytes) -> string",
              "string_timestamp: (timestamp) -> string", "string_duration: (duration) -> string"});
  table->Add("bytes", false, ToBytes,
             {"bytes_bytes: (bytes) -> bytes", "bytes_string: (string) -> bytes"});
  table->Add("bool", false, ToBool, {"bool_bool: (bool) -> bool", "bool_string: (string) -> bool"});
  table->Add("timestamp", false, ToTimestamp,
             {"timestamp_timestamp: (timestamp) -> timestamp", "timestamp_int: (int) -> timestamp",
              "timestamp_string: (string) -> timestamp"});
  table->Add("duration", false, ToDuration,
             {"duration_duration: (duration) -> duration", "duration_int: (int) -> duration",
              "duration_string: (string) -> duration"});
  table->Add("type", false, TypeOf, {"type: (A) -> type"});
  table->Add("dyn", false, ToDyn, {"dyn: (A) -> dyn"});
  const std::vector<std::string_view> sizes = {
      "size_string: (string) -> int", "size_bytes: (bytes) -> int", "size_list: (list<A>) -> int",
      "size_map: (map<A,B>) -> int"};
  table->Add("size", false, Size, sizes);
  table->Add("size", true, Size, sizes);
}

}  // namespace millrace::worker
