#include "worker/expr/lexer.h"

namespace millrace::worker {
namespace {

int DigitValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Reads exactly `count` digits of `base`.
bool ReadDigits(std::string_view text, size_t count, int base, uint32_t* value) {
  if (text.size() < count) return false;
  *value = 0;
  for (size_t i = 0; i < count; ++i) {
    const int digit = DigitValue(text[i]);
    if (digit >= base) return false;
    *value = *value * static_cast<uint32_t>(base) + static_cast<uint32_t>(digit);
  }
  return true;
}

// The control or punctuation character that \c stands for, 0 for none.
char SimpleEscape(char c) {
  constexpr std::string_view kFrom = "abfnrtv\\?\"'`";
  constexpr std::string_view kTo = "\a\b\f\n\r\t\v\\?\"'`";
  const size_t i = kFrom.find(c);
  return i == std::string_view::npos ? '\0' : kTo[i];
}

struct NumericEscape {
  size_t skip = 0;  // letters behind the backslash
  size_t digits = 0;
  int base = 16;
  bool code_point_only = false;
};

bool FindNumericEscape(char c, NumericEscape* escape) {
  switch (c) {
    case 'x':
    case 'X':
      *escape = {1, 2, 16, false};
      return true;
    case 'u':
      *escape = {1, 4, 16, true};
      return true;
    case 'U':
      *escape = {1, 8, 16, true};
      return true;
    default:
      *escape = {0, 3, 8, false};
      return c >= '0' && c <= '3';
  }
}

}  // namespace

void AppendUtf8(uint32_t code_point, std::string* out) {
  const auto push = [out](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xc0 | code_point >> 6);
    push(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    push(0xe0 | code_point >> 12);
    push(0x80 | (code_point >> 6 & 0x3f));
    push(0x80 | (code_point & 0x3f));
  } else {
    push(0xf0 | code_point >> 18);
    push(0x80 | (code_point >> 12 & 0x3f));
    push(0x80 | (code_point >> 6 & 0x3f));
    push(0x80 | (code_point & 0x3f));
  }
}

bool Unescape(std::string_view body, bool bytes, size_t offset, std::string* out,
              ExprError* error) {
  const auto fail = [&](size_t at, std::string message) {
    *error = {static_cast<int>(offset + at), std::move(message)};
    return false;
  };
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      out->push_back(body[i]);
      continue;
    }
    const char c = i + 1 < body.size() ? body[i + 1] : '\0';
    if (const char simple = SimpleEscape(c); simple != '\0') {
      out->push_back(simple);
      ++i;
      continue;
    }
    NumericEscape escape;
    uint32_t value = 0;
    if (!FindNumericEscape(c, &escape) ||
        !ReadDigits(body.substr(i + 1 + escape.skip), escape.digits, escape.base, &value)) {
      return fail(i, "unknown escape; write \\\\ for a backslash, or put r in front of the string");
    }
    if (bytes && escape.code_point_only)
      return fail(i, "bytes take \\x and octal escapes, not \\u");
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
      return fail(i, "there is no such code point");
    if (bytes) {
      out->push_back(static_cast<char>(value));
    } else {
      AppendUtf8(value, out);
    }
    i += escape.skip + escape.digits;
  }
  return true;
}

}  // namespace millrace::worker
