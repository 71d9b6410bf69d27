#include "worker/expr/json_value.h"

#include <charconv>
#include <unordered_map>

#include "crds/base/text.h"
#include "worker/expr/json_scanner.h"
#include "worker/expr/lexer.h"
#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

uint32_t ReadHex4(std::string_view text) {
  uint32_t value = 0;
  std::from_chars(text.data(), text.data() + 4, value, 16);
  return value;
}

// The content of a JSON string literal's body. Lone surrogates become U+FFFD.
std::string_view ResolveString(ValueArena* arena, std::string_view body) {
  if (body.find('\\') == std::string_view::npos) return body;
  std::string text;
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      text.push_back(body[i]);
      continue;
    }
    constexpr std::string_view kFrom = "bfnrt\"\\/";
    constexpr std::string_view kTo = "\b\f\n\r\t\"\\/";
    const char c = body[++i];
    if (c != 'u') {
      text.push_back(kTo[kFrom.find(c)]);
      continue;
    }
    uint32_t code = ReadHex4(body.substr(i + 1));
    i += 4;
    if (code >= 0xd800 && code < 0xdc00 && body.substr(i + 1).starts_with("\\u") &&
        body.size() >= i + 7) {
      const uint32_t low = ReadHex4(body.substr(i + 3));
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        i += 6;
      }
    }
    AppendUtf8(code >= 0xd800 && code < 0xe000 ? 0xfffd : code, &text);
  }
  return arena->Copy(text);
}

Value Number(std::string_view text) {
  const char* end = text.data() + text.size();
  if (text.find_first_of(".eE") == std::string_view::npos) {
    int64_t whole = 0;
    if (std::from_chars(text.data(), end, whole).ec == std::errc()) return Value::Int(whole);
    uint64_t natural = 0;
    if (std::from_chars(text.data(), end, natural).ec == std::errc()) return Value::Uint(natural);
  }
  double real = 0;
  if (std::from_chars(text.data(), end, real).ec == std::errc()) return Value::Double(real);
  return Value::Double(std::strtod(std::string(text).c_str(), nullptr));
}

// Requires: `text` is one valid value without spaces around it.
Value FromValid(ValueArena* arena, std::string_view text) {
  switch (text.front()) {
    case '{':
      return Value::OfJson(ValueKind::kMap, text);
    case '[':
      return Value::OfJson(ValueKind::kList, text);
    case '"':
      return Value::String(ResolveString(arena, text.substr(1, text.size() - 2)));
    case 't':
      return Value::Bool(true);
    case 'f':
      return Value::Bool(false);
    case 'n':
      return {};
    default:
      return Number(text);
  }
}

}  // namespace

Value JsonValue(ValueArena* arena, std::string_view text) {
  JsonScanner scanner(text);
  const std::string_view value = scanner.Value();
  if (value.data() == nullptr || !scanner.AtEnd())
    return Value::Error("the text is not valid JSON");
  return FromValid(arena, value);
}

std::span<const Value> JsonElements(ValueArena* arena, std::string_view array) {
  JsonScanner scanner(array.substr(1, array.size() - 2));
  std::vector<Value> items;
  while (!scanner.AtEnd()) {
    items.push_back(FromValid(arena, scanner.Value()));
    scanner.Skip(',');
  }
  return MakeList(arena, items).items();
}

std::vector<MapEntry> JsonMembers(ValueArena* arena, std::string_view object) {
  JsonScanner scanner(object.substr(1, object.size() - 2));
  std::vector<MapEntry> members;
  std::unordered_map<std::string_view, size_t> places;
  while (!scanner.AtEnd()) {
    const Value key = FromValid(arena, scanner.Value());
    scanner.Skip(':');
    const Value value = FromValid(arena, scanner.Value());
    scanner.Skip(',');
    const auto [place, is_new] = places.try_emplace(key.text(), members.size());
    if (is_new)
      members.push_back({key, value});
    else
      members[place->second].value = value;
  }
  return members;
}

bool JsonFind(ValueArena* arena, std::string_view object, std::string_view key, Value* found) {
  JsonScanner scanner(object.substr(1, object.size() - 2));
  std::string_view last;
  while (!scanner.AtEnd()) {
    const std::string_view quoted = scanner.Value();
    scanner.Skip(':');
    const std::string_view value = scanner.Value();
    scanner.Skip(',');
    const std::string_view name = quoted.substr(1, quoted.size() - 2);
    if (name == key ||
        (name.find('\\') != std::string_view::npos && ResolveString(arena, name) == key)) {
      last = value;
    }
  }
  if (last.data() == nullptr) return false;
  *found = FromValid(arena, last);
  return true;
}

}  // namespace millrace::worker
