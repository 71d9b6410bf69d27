#include "crds/api/node.h"

#include <algorithm>
#include <array>

#include "crds/base/text.h"

namespace millrace::api {
namespace {

constexpr std::array<std::string_view, 8> kBooleans{"true", "false", "yes", "no",
                                                    "on",   "off",   "y",   "n"};

bool IsBoolean(std::string_view text) {
  const std::string lower = ToLowerAscii(text);
  return std::find(kBooleans.begin(), kBooleans.end(), lower) != kBooleans.end();
}

bool IsNull(std::string_view text) {
  return text.empty() || text == "~" || ToLowerAscii(text) == "null";
}

bool AllOf(std::string_view text, std::string_view alphabet) {
  return !text.empty() && text.find_first_not_of(alphabet) == std::string_view::npos;
}

size_t Skip(std::string_view text, size_t from, std::string_view alphabet) {
  const size_t end = text.find_first_not_of(alphabet, from);
  return end == std::string_view::npos ? text.size() : end;
}

}  // namespace

const Node* Node::Find(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const Member& member) { return member.key.text == name; });
  return found == members.end() ? nullptr : &found->value;
}

Node* Node::Find(std::string_view name) {
  return const_cast<Node*>(std::as_const(*this).Find(name));
}

// Integers and floats of YAML 1.1 and 1.2: signs, underscores, 0x 0o 0b, exponents, .inf and .nan.
bool ReadsAsNumber(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return false;
  const std::string lower = ToLowerAscii(text);
  if (lower == ".inf" || lower == ".nan") return true;
  if (lower.starts_with("0x")) return AllOf(lower.substr(2), "0123456789abcdef_");
  if (lower.starts_with("0o") || lower.starts_with("0b"))
    return AllOf(lower.substr(2), "01234567_");
  constexpr std::string_view kDigits = "0123456789_";
  const bool leads = lower[0] >= '0' && lower[0] <= '9';
  size_t at = leads ? Skip(lower, 0, kDigits) : 0;
  bool digits = leads;
  if (at < lower.size() && lower[at] == '.') {
    const size_t end = Skip(lower, at + 1, kDigits);
    digits = digits || end > at + 1;
    at = end;
  }
  if (digits && at < lower.size() && lower[at] == 'e') {
    size_t exponent = at + 1;
    if (exponent < lower.size() && (lower[exponent] == '+' || lower[exponent] == '-')) ++exponent;
    const size_t end = Skip(lower, exponent, "0123456789");
    if (end == exponent) return false;
    at = end;
  }
  return digits && at == lower.size();
}

bool ReadsAsOtherType(const Node& node) {
  if (node.style != Node::Style::kPlain) return false;
  return node.kind == Node::Kind::kNull || IsNull(node.text) || IsBoolean(node.text) ||
         ReadsAsNumber(node.text);
}

std::string DescribeNode(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return node.text.empty() || node.text == "null" ? "null" : node.text + ", which is null";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kObject:
      return "an object";
    case Node::Kind::kScalar:
      break;
  }
  const std::string excerpt = Excerpt(node.text, 60);
  if (node.style == Node::Style::kPlain && ReadsAsNumber(node.text)) return "the number " + excerpt;
  if (node.style == Node::Style::kPlain && IsBoolean(node.text)) return "the boolean " + excerpt;
  return "the string \"" + excerpt + "\"";
}

}  // namespace millrace::api
