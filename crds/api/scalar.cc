#include "crds/api/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "crds/base/text.h"

namespace millrace::api {
namespace {

std::string RangeText(int64_t min, int64_t max) {
  if (max == std::numeric_limits<int64_t>::max())
    return "an integer of at least " + std::to_string(min);
  return "an integer from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string NumberText(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

bool IsDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// `text` in the base of its prefix, underscores ignored.
std::optional<int64_t> ReadLoosely(std::string_view text, int base) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits),
               [](char c) { return c != '_'; });
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string Write(std::optional<int64_t> value) {
  return value ? "; write " + std::to_string(*value)
               : std::string("; write it with decimal digits only");
}

// The spelling to use for a number that YAML readers disagree about.
std::string Respell(std::string_view text) {
  const std::string lower = ToLowerAscii(text);
  if (lower.starts_with("0x")) return Write(ReadLoosely(lower.substr(2), 16));
  if (lower.starts_with("0o")) return Write(ReadLoosely(lower.substr(2), 8));
  if (lower.starts_with("0b")) return Write(ReadLoosely(lower.substr(2), 2));
  if (lower.find('_') != std::string::npos) return Write(ReadLoosely(lower, 10));
  if (lower.size() > 1 && lower[0] == '0' && IsDigits(lower)) {
    const auto octal = ReadLoosely(lower, 8);
    const auto decimal = ReadLoosely(lower, 10);
    if (octal && decimal && octal != decimal) {
      return ", which some readers take for " + std::to_string(*octal) + " and others for " +
             std::to_string(*decimal) + Write(decimal);
    }
    return Write(decimal);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(lower.data(), lower.data() + lower.size(), value);
  const bool whole = error == std::errc() && end == lower.data() + lower.size() &&
                     std::floor(value) == value && std::abs(value) < 9e15;
  return whole ? Write(static_cast<int64_t>(value)) : "";
}

bool PlainNumber(const Node& node) {
  return node.kind == Node::Kind::kScalar && node.style == Node::Style::kPlain &&
         ReadsAsNumber(node.text);
}

// A number in quotes: named as such, since the fix is to remove them.
std::string QuoteHint(const Node& node) {
  const bool number = node.kind == Node::Kind::kScalar && node.style != Node::Style::kPlain &&
                      ReadsAsNumber(node.text);
  return number ? "; write " + node.text + " without quotes" : "";
}

}  // namespace

Result<int64_t> ParseInteger(const Node& node, int64_t min, int64_t max) {
  const std::string expected = "expected " + RangeText(min, max) + ", found ";
  if (!PlainNumber(node)) return InvalidError(expected + DescribeNode(node) + QuoteHint(node));
  std::string_view digits = node.text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (!IsDigits(digits) || (digits.size() > 1 && digits[0] == '0')) {
    return InvalidError(expected + Excerpt(node.text) + Respell(node.text));
  }
  const std::optional<int64_t> value = ReadLoosely(node.text, 10);
  if (!value || *value < min || *value > max) return InvalidError(expected + Excerpt(node.text));
  return *value;
}

Result<double> ParseDecimal(const Node& node, double min, double max) {
  std::string expected = "expected a number ";
  expected += std::isinf(max) ? "of at least " + NumberText(min)
                              : "from " + NumberText(min) + " to " + NumberText(max);
  expected += ", found ";
  if (!PlainNumber(node)) return InvalidError(expected + DescribeNode(node) + QuoteHint(node));
  double value = 0;
  const char* end = node.text.data() + node.text.size();
  const auto parsed = std::from_chars(node.text.data(), end, value);
  const bool octal = node.text.size() > 1 && node.text[0] == '0' && IsDigits(node.text);
  if (parsed.ec != std::errc() || parsed.ptr != end || octal || !std::isfinite(value)) {
    return InvalidError(expected + Excerpt(node.text) + Respell(node.text));
  }
  if (value < min || value > max) return InvalidError(expected + Excerpt(node.text));
  return value;
}

Result<bool> ParseBool(const Node& node) {
  const bool plain = node.kind == Node::Kind::kScalar && node.style == Node::Style::kPlain;
  if (plain && node.text == "true") return true;
  if (plain && node.text == "false") return false;
  const std::string lower = ToLowerAscii(node.text);
  std::string hint;
  if (node.kind == Node::Kind::kScalar) {
    if (lower == "true" || lower == "yes" || lower == "on" || lower == "y") hint = "; write true";
    if (lower == "false" || lower == "no" || lower == "off" || lower == "n") hint = "; write false";
  }
  const std::string found = plain && !hint.empty() ? node.text : DescribeNode(node);
  return InvalidError("expected true or false, found " + found + hint);
}

std::string OneOfList(std::span<const std::string> names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

}  // namespace millrace::api
