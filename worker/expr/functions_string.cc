#include <algorithm>

#include "crds/base/text.h"
#include "worker/expr/code_points.h"
#include "worker/expr/evaluator.h"
#include "worker/expr/function_table.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

using Args = std::span<const Value>;

bool AllStrings(Args args) { return std::ranges::all_of(args, &Value::is_string); }

Value OutOfRange(EvalContext& context, int64_t index) {
  return context.Error("index out of range: " + std::to_string(index));
}

Value Contains(EvalContext& context, Args args) {
  if (!AllStrings(args)) return context.NoOverload(args);
  return Value::Bool(args[0].text().find(args[1].text()) != std::string_view::npos);
}
Value StartsWith(EvalContext& context, Args args) {
  if (!AllStrings(args)) return context.NoOverload(args);
  return Value::Bool(args[0].text().starts_with(args[1].text()));
}
Value EndsWith(EvalContext& context, Args args) {
  if (!AllStrings(args)) return context.NoOverload(args);
  return Value::Bool(args[0].text().ends_with(args[1].text()));
}

Value CharAt(EvalContext& context, Args args) {
  if (!args[0].is_string() || !args[1].is_int()) return context.NoOverload(args);
  const CodePoints points(args[0].text());
  const int64_t i = args[1].integer();
  if (i < 0 || i > points.size()) return OutOfRange(context, i);
  return Value::String(i == points.size() ? std::string_view() : points.Slice(i, i + 1));
}

Value IndexOf(EvalContext& context, Args args) {
  if (!AllStrings(args.first(2)) || (args.size() > 2 && !args[2].is_int()))
    return context.NoOverload(args);
  const CodePoints points(args[0].text());
  const int64_t from = args.size() > 2 ? args[2].integer() : 0;
  if (from < 0 || from > points.size()) return OutOfRange(context, from);
  const size_t found = args[0].text().find(args[1].text(), points.Offset(from));
  return Value::Int(found == std::string_view::npos ? -1 : points.IndexOf(found));
}

Value LastIndexOf(EvalContext& context, Args args) {
  if (!AllStrings(args.first(2)) || (args.size() > 2 && !args[2].is_int()))
    return context.NoOverload(args);
  const CodePoints points(args[0].text());
  const int64_t from = args.size() > 2 ? args[2].integer() : points.size();
  if (from < 0 || from > points.size()) return OutOfRange(context, from);
  const size_t found = args[0].text().rfind(args[1].text(), points.Offset(from));
  return Value::Int(found == std::string_view::npos ? -1 : points.IndexOf(found));
}

template <char kFirst, char kLast, int kShift>
Value ShiftCase(EvalContext& context, Args args) {
  if (!args[0].is_string()) return context.NoOverload(args);
  const std::string_view text = args[0].text();
  char* target = static_cast<char*>(context.arena().Allocate(text.size()));
  for (size_t i = 0; i < text.size(); ++i) {
    const bool shift = text[i] >= kFirst && text[i] <= kLast;
    target[i] = shift ? static_cast<char>(text[i] + kShift) : text[i];
  }
  return Value::String({target, text.size()});
}

// Replaces up to `limit` (negative: all) non-overlapping matches; an empty `from` matches before
// every code point and at the end.
Value Replace(EvalContext& context, Args args) {
  if (!AllStrings(args.first(3)) || (args.size() > 3 && !args[3].is_int()))
    return context.NoOverload(args);
  const std::string_view text = args[0].text();
  const std::string_view from = args[1].text();
  int64_t left = args.size() > 3 ? args[3].integer() : -1;
  std::string result;
  size_t position = 0;
  while (left != 0 && position <= text.size()) {
    const size_t found = text.find(from, position);
    if (found == std::string_view::npos) break;
    result.append(text.substr(position, found - position)).append(args[2].text());
    if (result.size() > kMaxValueBytes) break;
    position = found + from.size();
    --left;
    if (!from.empty()) continue;
    if (position == text.size()) return context.String(result);
    do result.push_back(text[position++]);
    while (position < text.size() && (text[position] & 0xc0) == 0x80);
  }
  if (position < text.size()) result.append(text.substr(position));
  return context.String(result);
}

Value Split(EvalContext& context, Args args) {
  if (!AllStrings(args.first(2)) || (args.size() > 2 && !args[2].is_int()))
    return context.NoOverload(args);
  const std::string_view text = args[0].text();
  const std::string_view separator = args[1].text();
  const int64_t limit = args.size() > 2 ? args[2].integer() : -1;
  if (limit == 0) return Value::List(nullptr, 0);
  std::vector<Value> parts;
  size_t position = 0;
  while (limit < 0 || static_cast<int64_t>(parts.size()) + 1 < limit) {
    size_t end = text.find(separator, position);
    if (separator.empty()) {
      end = position + 1;
      while (end < text.size() && (text[end] & 0xc0) == 0x80) ++end;
      if (end >= text.size()) break;
    }
    if (end == std::string_view::npos) break;
    parts.push_back(Value::String(text.substr(position, end - position)));
    position = end + separator.size();
  }
  if (!separator.empty() || !text.empty()) parts.push_back(Value::String(text.substr(position)));
  return MakeList(&context.arena(), parts);
}

Value Join(EvalContext& context, Args args) {
  if (!args[0].is_list() || (args.size() > 1 && !args[1].is_string()))
    return context.NoOverload(args);
  const ListView items(&context.arena(), args[0]);
  std::string result;
  for (size_t i = 0; i < items.size(); ++i) {
    const Value item = items[i];
    if (!item.is_string())
      return context.Error("join() takes strings; the list holds " + std::string(TypeNameOf(item)));
    if (i > 0 && args.size() > 1) result.append(args[1].text());
    result.append(item.text());
    if (result.size() > kMaxValueBytes) break;
  }
  return context.String(result);
}

Value Substring(EvalContext& context, Args args) {
  if (!args[0].is_string() || !std::ranges::all_of(args.subspan(1), &Value::is_int))
    return context.NoOverload(args);
  const CodePoints points(args[0].text());
  const int64_t begin = args[1].integer();
  const int64_t end = args.size() > 2 ? args[2].integer() : points.size();
  if (begin < 0 || begin > points.size()) return OutOfRange(context, begin);
  if (end < 0 || end > points.size()) return OutOfRange(context, end);
  if (begin > end) {
    return context.Error("invalid substring range. start: " + std::to_string(begin) +
                         ", end: " + std::to_string(end));
  }
  return Value::String(points.Slice(begin, end));
}

// Unicode White_Space.
constexpr std::string_view kSpaces[] = {
    "\t",     "\n",     "\v",     "\f",     "\r",     " ",      "\u0085", "\u00a0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
    "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

Value TrimSpaces(EvalContext& context, Args args) {
  if (!args[0].is_string()) return context.NoOverload(args);
  std::string_view text = args[0].text();
  const auto cut = [&text](bool front) {
    for (std::string_view space : kSpaces) {
      if (front ? !text.starts_with(space) : !text.ends_with(space)) continue;
      front ? text.remove_prefix(space.size()) : text.remove_suffix(space.size());
      return true;
    }
    return false;
  };
  while (cut(true)) {
  }
  while (cut(false)) {
  }
  return Value::String(text);
}

Value Quote(EvalContext& context, Args args) {
  if (!args[0].is_string()) return context.NoOverload(args);
  constexpr std::string_view kFrom = "\a\b\f\n\r\t\v\\\"";
  constexpr std::string_view kTo = "abfnrtv\\\"";
  std::string quoted = "\"";
  for (char c : args[0].text()) {
    const size_t i = kFrom.find(c);
    if (i != std::string_view::npos) quoted.push_back('\\');
    quoted.push_back(i == std::string_view::npos ? c : kTo[i]);
  }
  return context.String(quoted + "\"");
}

}  // namespace

void AddStringFunctions(FunctionTable* table) {
  table->Add("contains", true, Contains, {"contains: (string, string) -> bool"});
  table->Add("startsWith", true, StartsWith, {"starts_with: (string, string) -> bool"});
  table->Add("endsWith", true, EndsWith, {"ends_with: (string, string) -> bool"});
  table->Add("charAt", true, CharAt, {"char_at: (string, int) -> string"});
  table->Add("indexOf", true, IndexOf,
             {"index_of: (string, string) -> int", "index_of_from: (string, string, int) -> int"});
  table->Add("lastIndexOf", true, LastIndexOf,
             {"last_index_of: (string, string) -> int",
              "last_index_of_from: (string, string, int) -> int"});
  table->Add("lowerAscii", true, ShiftCase<'A', 'Z', 32>, {"lower_ascii: (string) -> string"});
  table->Add("upperAscii", true, ShiftCase<'a', 'z', -32>, {"upper_ascii: (string) -> string"});
  table->Add("replace", true, Replace,
             {"replace: (string, string, string) -> string",
              "replace_limit: (string, string, string, int) -> string"});
  table->Add("split", true, Split,
             {"split: (string, string) -> list<string>",
              "split_limit: (string, string, int) -> list<string>"});
  table->Add(
      "join", true, Join,
      {"join: (list<string>) -> string", "join_separator: (list<string>, string) -> string"});
  table->Add(
      "substring", true, Substring,
      {"substring: (string, int) -> string", "substring_range: (string, int, int) -> string"});
  table->Add("trim", true, TrimSpaces, {"trim: (string) -> string"});
  table->Add("strings.quote", false, Quote, {"quote: (string) -> string"});
}

}  // namespace millrace::worker
