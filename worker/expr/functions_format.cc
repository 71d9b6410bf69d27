#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "crds/base/text.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/number_text.h"
#include "worker/expr/time_text.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

constexpr int kMaxPrecision = 1000;

// The text of %s. Bounded by the caller's limit on strings.
void AppendText(ValueArena* arena, const Value& value, std::string* out) {
  if (out->size() > kMaxValueBytes) return;
  if (value.is_list()) {
    const ListView items(arena, value);
    out->push_back('[');
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out->append(", ");
      AppendText(arena, items[i], out);
    }
    out->push_back(']');
  } else if (value.is_map() || value.is_struct()) {
    std::multimap<std::string, Value> sorted;
    for (const MapEntry& entry : MapOf(arena, value).all()) {
      std::string key;
      AppendText(arena, entry.key, &key);
      sorted.emplace(std::move(key), entry.value);
    }
    out->push_back('{');
    bool first = true;
    for (const auto& [key, member] : sorted) {
      if (!std::exchange(first, false)) out->append(", ");
      out->append(key).append(": ");
      AppendText(arena, member, out);
    }
    out->push_back('}');
  } else if (value.is_null()) {
    out->append("null");
  } else if (value.is_bool()) {
    out->append(value.boolean() ? "true" : "false");
  } else if (value.is_int()) {
    out->append(std::to_string(value.integer()));
  } else if (value.is_uint()) {
    out->append(std::to_string(value.unsigned_integer()));
  } else if (value.is_double()) {
    out->append(DoubleText(value.real()));
  } else if (value.is_timestamp()) {
    out->append(TimestampText(value));
  } else if (value.is_duration()) {
    out->append(DurationText(value));
  } else if (value.is_optional()) {
    if (value.optional_value() != nullptr) AppendText(arena, *value.optional_value(), out);
  } else {
    out->append(value.text());
  }
}

// Digits of a whole number in `base`, with its sign.
bool AppendInBase(const Value& value, int base, bool upper, std::string* out) {
  char digits[70];
  std::to_chars_result end{};
  if (value.is_int()) {
    end = std::to_chars(digits, std::end(digits), value.integer(), base);
  } else if (value.is_uint()) {
    end = std::to_chars(digits, std::end(digits), value.unsigned_integer(), base);
  } else {
    return false;
  }
  std::string text(digits, end.ptr);
  if (upper)
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
  out->append(text);
  return true;
}

bool AppendHex(const Value& value, bool upper, std::string* out) {
  if (!value.is_string() && !value.is_bytes()) return AppendInBase(value, 16, upper, out);
  constexpr std::string_view kLower = "0123456789abcdef";
  constexpr std::string_view kUpper = "0123456789ABCDEF";
  for (char c : value.text()) {
    const auto byte = static_cast<unsigned char>(c);
    out->push_back((upper ? kUpper : kLower)[byte >> 4]);
    out->push_back((upper ? kUpper : kLower)[byte & 15]);
  }
  return true;
}

bool AppendReal(const Value& value, std::chars_format format, int precision, std::string* out) {
  if (!value.is_number()) return false;
  double real = value.is_double() ? value.real() : 0;
  if (value.is_int()) real = static_cast<double>(value.integer());
  if (value.is_uint()) real = static_cast<double>(value.unsigned_integer());
  if (!std::isfinite(real)) {
    out->append(DoubleText(real));
    return true;
  }
  char text[kMaxPrecision + 400];
  const auto end = std::to_chars(text, std::end(text), real, format, precision);
  out->append(text, end.ptr);
  return true;
}

bool AppendClause(ValueArena* arena, char clause, int precision, const Value& value,
                  std::string* out) {
  switch (clause) {
    case 's':
      AppendText(arena, value, out);
      return true;
    case 'd':
      return AppendInBase(value, 10, false, out);
    case 'f':
      return AppendReal(value, std::chars_format::fixed, precision, out);
    case 'e':
      return AppendReal(value, std::chars_format::scientific, precision, out);
    case 'b':
      if (!value.is_bool()) return AppendInBase(value, 2, false, out);
      out->push_back(value.boolean() ? '1' : '0');
      return true;
    case 'o':
      return AppendInBase(value, 8, false, out);
    case 'x':
    case 'X':
      return AppendHex(value, clause == 'X', out);
    default:
      return false;
  }
}

Value Format(EvalContext& context, Args args) {
  if (!args[0].is_string() || !args[1].is_list()) return context.NoOverload(args);
  const std::string_view text = args[0].text();
  const ListView values(&context.arena(), args[1]);
  std::string result;
  size_t next = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result.push_back(text[i]);
      continue;
    }
    if (++i < text.size() && text[i] == '%') {
      result.push_back('%');
      continue;
    }
    int precision = 6;
    if (i < text.size() && text[i] == '.') {
      const auto parsed =
          std::from_chars(text.data() + i + 1, text.data() + text.size(), precision);
      if (parsed.ec != std::errc() || precision < 0 || precision > kMaxPrecision) {
        return context.Error("format(): bad precision");
      }
      i = static_cast<size_t>(parsed.ptr - text.data());
    }
    if (i >= text.size()) return context.Error("format(): unfinished clause at the end");
    if (std::string_view("sdfeboxX").find(text[i]) == std::string_view::npos) {
      return context.Error("format(): unrecognized clause \"" + std::string(1, text[i]) + "\"");
    }
    if (next >= values.size())
      return context.Error("format(): index " + std::to_string(next) + " out of range");
    const Value value = values[next++];
    if (!AppendClause(&context.arena(), text[i], precision, value, &result)) {
      return context.Error("format(): %" + std::string(1, text[i]) + " cannot print " +
                           std::string(TypeNameOf(value)));
    }
  }
  return context.String(result);
}

}  // namespace

std::string DoubleText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char text[32];
  return std::string(text, std::to_chars(text, std::end(text), value).ptr);
}

void AddFormatFunctions(FunctionTable* table) {
  table->Add("format", true, Format, {"format: (string, list<dyn>) -> string"});
}

}  // namespace millrace::worker
