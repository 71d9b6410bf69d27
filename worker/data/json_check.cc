#include "worker/data/json_check.h"

#include <array>

#include "worker/data/utf8.h"

namespace millrace::worker {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr std::array<bool, 256> MakePlainBytes() {
  std::array<bool, 256> plain{};
  for (size_t i = 0x20; i < 256; ++i) plain[i] = i != '"' && i != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = MakePlainBytes();

// Recursive descent; stops at the first fault.
class JsonChecker {
 public:
  explicit JsonChecker(std::string_view text) : text_(text) {}

  bool Value(int depth) {
    SkipSpace();
    switch (Peek()) {
      case '{':
        return Object(depth);
      case '[':
        return Array(depth);
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        break;
    }
    if (Peek() == '-' || IsDigit(Peek())) return Number();
    return Fail("expected a value");
  }
  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool AtEnd() const { return at_ == text_.size(); }
  bool Fail(const char* what) {
    if (fault_.what == nullptr) {
      fault_.what = AtEnd() ? "unexpected end" : what;
      fault_.position = at_;
    }
    return false;
  }
  JsonFault fault() const {
    JsonFault result = fault_;
    result.end = at_;
    return result;
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char c) {
    if (Peek() != c || AtEnd()) return false;
    ++at_;
    return true;
  }
  bool Word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Fail("expected a value");
    at_ += word.size();
    return true;
  }
  bool Object(int depth) {
    if (depth == kMaxJsonDepth) return Fail("nested deeper than 1024 levels");
    ++at_;
    SkipSpace();
    if (Take('}')) return true;
    for (;;) {
      SkipSpace();
      if (Peek() != '"') return Fail("expected a member name");
      if (!String()) return false;
      SkipSpace();
      if (!Take(':')) return Fail("expected ':'");
      if (!Value(depth + 1)) return false;
      SkipSpace();
      if (Take('}')) return true;
      if (!Take(',')) return Fail("expected ',' or '}'");
    }
  }
  bool Array(int depth) {
    if (depth == kMaxJsonDepth) return Fail("nested deeper than 1024 levels");
    ++at_;
    SkipSpace();
    if (Take(']')) return true;
    for (;;) {
      if (!Value(depth + 1)) return false;
      SkipSpace();
      if (Take(']')) return true;
      if (!Take(',')) return Fail("expected ',' or ']'");
    }
  }
  bool Digits() {
    if (!IsDigit(Peek())) return Fail("malformed number");
    while (IsDigit(Peek())) ++at_;
    return true;
  }
  bool Number() {
    Take('-');
    if (Take('0')) {
      if (IsDigit(Peek())) return Fail("malformed number");
    } else if (!Digits()) {
      return false;
    }
    if (Take('.') && !Digits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      return Digits();
    }
    return true;
  }
  bool String() {
    ++at_;
    for (;;) {
      while (at_ < text_.size() && kPlain[static_cast<unsigned char>(text_[at_])]) ++at_;
      if (Take('"')) return true;
      if (Peek() != '\\') return Fail("control byte in a string");
      if (!Escape()) return false;
    }
  }
  bool Escape() {
    ++at_;
    if (Peek() != 'u') {
      if (AtEnd() || std::string_view("\"\\/bfnrt").find(Peek()) == std::string_view::npos)
        return Fail("unknown escape");
      ++at_;
      return true;
    }
    const size_t begin = at_ - 1;
    const int first = Hex4();
    if (first < 0) return Fail("malformed \\u escape");
    if (first < 0xD800 || first > 0xDFFF) return true;
    if (first < 0xDC00 && Take('\\') && Peek() == 'u') {
      const int second = Hex4();
      if (second >= 0xDC00 && second <= 0xDFFF) return true;
    }
    at_ = begin;
    return Fail("lone surrogate");
  }
  // The four digits behind 'u', -1 when they are none.
  int Hex4() {
    ++at_;
    int value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = Peek();
      const char lower = static_cast<char>(c | 0x20);
      if (!IsDigit(c) && (lower < 'a' || lower > 'f')) return -1;
      value = value * 16 + (IsDigit(c) ? c - '0' : lower - 'a' + 10);
    }
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
  JsonFault fault_;
};

}  // namespace

std::string JsonFault::Message() const {
  return "not JSON: " + std::string(what) + " at byte " + std::to_string(position);
}

JsonFault CheckJsonValue(std::string_view text) {
  JsonChecker checker(text);
  checker.Value(0);
  return checker.fault();
}

JsonFault CheckJson(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) return {"byte order mark", 0, 0};
  if (const size_t bad = FindInvalidUtf8(text); bad != std::string_view::npos)
    return {"invalid UTF-8", bad, 0};
  JsonChecker checker(text);
  if (checker.Value(0)) {
    checker.SkipSpace();
    if (!checker.AtEnd()) checker.Fail("unexpected text behind the value");
  }
  return checker.fault();
}

}  // namespace millrace::worker
