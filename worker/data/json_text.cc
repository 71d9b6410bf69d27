#include "worker/data/json_text.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr size_t kSafeDigits = 18;   // fit int64 without a check
constexpr size_t kExactDigits = 15;  // whole numbers of so many digits are doubles exactly

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Whether `text` is 0 or digits without a leading zero.
bool IsWhole(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  for (const char c : text) {
    if (!IsDigit(c)) return false;
  }
  return true;
}

bool IsJsonNumber(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    return at > begin;
  };
  const size_t whole = at;
  if (!digits() || (text[whole] == '0' && at > whole + 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return false;
  }
  return at == text.size();
}

uint64_t ValueOfDigits(std::string_view digits) {
  uint64_t value = 0;
  for (const char c : digits) value = value * 10 + static_cast<uint64_t>(c - '0');
  return value;
}

template <typename T>
NumberOutcome FromChars(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error == std::errc::result_out_of_range) return NumberOutcome::kOutOfRange;
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? NumberOutcome::kOk : NumberOutcome::kNotThis;
}

// A number that from_chars calls out of range is tiny when its exponent, or its fraction, says so.
bool IsTiny(std::string_view text) {
  const size_t exponent = text.find_first_of("eE");
  if (exponent != std::string_view::npos) return text.substr(exponent + 1).starts_with('-');
  return text.starts_with("0.") || text.starts_with("-0.");
}

// "12.5" with few digits: both parts are doubles exactly, so one division rounds correctly (W.
// Clinger, 1990).
bool ParseShortDecimal(std::string_view text, double* value) {
  constexpr double kPowers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos || text.size() > kExactDigits + 1 || dot + 1 == text.size() ||
      !IsWhole(text.substr(0, dot))) {
    return false;
  }
  uint64_t digits = ValueOfDigits(text.substr(0, dot));
  for (const char c : text.substr(dot + 1)) {
    if (!IsDigit(c)) return false;
    digits = digits * 10 + static_cast<uint64_t>(c - '0');
  }
  *value = static_cast<double>(digits) / kPowers[text.size() - dot - 1];
  return true;
}

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The four hex digits at `at`, -1 when they are none.
int Hex4(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

char* PutUtf8(uint32_t code, char* out) {
  const auto put = [&](uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
  return out;
}

// Reads \uXXXX (or a pair) whose 'u' stands at `*at`; moves it to the last byte read. False when
// malformed.
bool ReadUnicode(std::string_view text, size_t* at, char** out) {
  const int first = Hex4(text, *at + 1);
  if (first < 0) return false;
  *at += 4;
  auto code = static_cast<uint32_t>(first);
  if (code >= 0xD800 && code <= 0xDFFF) {
    const int second = text.substr(*at + 1).starts_with("\\u") ? Hex4(text, *at + 3) : -1;
    if (code > 0xDBFF || second < 0xDC00 || second > 0xDFFF) return false;
    code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<uint32_t>(second) - 0xDC00);
    *at += 6;
  }
  *out = PutUtf8(code, *out);
  return true;
}

char PlainEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

}  // namespace

NumberOutcome ParseJsonInt(std::string_view text, int64_t* value) {
  const bool negative = text.starts_with('-');
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (!IsWhole(digits)) return NumberOutcome::kNotThis;
  if (digits.size() > kSafeDigits) return FromChars(text, value);
  const auto size = static_cast<int64_t>(ValueOfDigits(digits));
  *value = negative ? -size : size;
  return NumberOutcome::kOk;
}

NumberOutcome ParseJsonUint(std::string_view text, uint64_t* value) {
  if (text == "-0") text.remove_prefix(1);
  if (text.starts_with('-') && IsWhole(text.substr(1))) return NumberOutcome::kOutOfRange;
  if (!IsWhole(text)) return NumberOutcome::kNotThis;
  if (text.size() > kSafeDigits) return FromChars(text, value);
  *value = ValueOfDigits(text);
  return NumberOutcome::kOk;
}

NumberOutcome ParseJsonDouble(std::string_view text, double* value) {
  if (text.size() <= kExactDigits && IsWhole(text)) {
    *value = static_cast<double>(ValueOfDigits(text));
    return NumberOutcome::kOk;
  }
  if (ParseShortDecimal(text, value)) return NumberOutcome::kOk;
  return IsJsonNumber(text) ? ParseDouble(text, value) : NumberOutcome::kNotThis;
}

NumberOutcome ParseDouble(std::string_view text, double* value) {
  const NumberOutcome outcome = FromChars(text, value);
  if (outcome == NumberOutcome::kOutOfRange && IsTiny(text)) {
    *value = text.starts_with('-') ? -0.0 : 0.0;
    return NumberOutcome::kOk;
  }
  if (outcome == NumberOutcome::kOk && !std::isfinite(*value)) return NumberOutcome::kNotThis;
  return outcome;
}

bool UnescapeJson(std::string_view raw, Arena* arena, std::string_view* value) {
  char* const begin = arena->Allocate(raw.size());  // escapes only shrink
  char* out = begin;
  size_t at = 0;
  while (at < raw.size()) {
    const void* found = std::memchr(raw.data() + at, '\\', raw.size() - at);
    const size_t escape = found == nullptr
                              ? raw.size()
                              : static_cast<size_t>(static_cast<const char*>(found) - raw.data());
    std::memcpy(out, raw.data() + at, escape - at);
    out += escape - at;
    if (escape == raw.size()) break;
    at = escape + 1;
    if (at == raw.size()) return false;
    if (raw[at] == 'u') {
      if (!ReadUnicode(raw, &at, &out)) return false;
    } else if (const char plain = PlainEscape(raw[at]); plain != '\0') {
      *out++ = plain;
    } else {
      return false;
    }
    ++at;
  }
  const auto size = static_cast<size_t>(out - begin);
  arena->Return(raw.size() - size);
  *value = {begin, size};
  return true;
}

std::string DescribeJson(std::string_view token) {
  token = TrimJson(token);
  switch (token.empty() ? '\0' : token.front()) {
    case '"': {
      std::string_view content = token.substr(1);
      if (content.ends_with('"')) content.remove_suffix(1);
      return "string \"" + Excerpt(content, 40) + "\"";
    }
    case '{':
      return "an object";
    case '[':
      return "a list";
    case 't':
    case 'f':
      return "bool " + Excerpt(token, 40);
    case 'n':
      return "null";
    default:
      return "number " + Excerpt(token, 40);
  }
}

}  // namespace millrace::worker
