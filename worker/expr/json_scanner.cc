#include "worker/expr/json_scanner.h"

#include "crds/base/text.h"
#include "worker/expr/json_value.h"

namespace millrace::worker {

std::string_view JsonScanner::Value() {
  const std::string_view before = rest_;
  if (!PassValue(0)) return {};
  const std::string_view value = before.substr(0, before.size() - rest_.size());
  SkipSpace();
  return value;
}

bool JsonScanner::Skip(char symbol) {
  if (Peek() != symbol || rest_.empty()) return false;
  rest_.remove_prefix(1);
  SkipSpace();
  return true;
}

void JsonScanner::SkipSpace() {
  size_t i = 0;
  while (i < rest_.size() &&
         (rest_[i] == ' ' || rest_[i] == '\n' || rest_[i] == '\t' || rest_[i] == '\r'))
    ++i;
  rest_.remove_prefix(i);
}

bool JsonScanner::PassValue(int depth) {
  if (depth > kMaxJsonDepth) return false;
  switch (Peek()) {
    case '{':
      return PassContainer('}', true, depth);
    case '[':
      return PassContainer(']', false, depth);
    case '"':
      return PassString();
    case 't':
      return PassWord("true");
    case 'f':
      return PassWord("false");
    case 'n':
      return PassWord("null");
    default:
      return PassNumber();
  }
}

bool JsonScanner::PassContainer(char close, bool members, int depth) {
  Skip(Peek());
  if (Peek() == close) {
    rest_.remove_prefix(1);
    return true;
  }
  while (true) {
    if (members) {
      if (!PassString()) return false;
      SkipSpace();
      if (!Skip(':')) return false;
    }
    if (!PassValue(depth + 1)) return false;
    SkipSpace();
    if (Peek() == close) {
      rest_.remove_prefix(1);
      return true;
    }
    if (!Skip(',')) return false;
  }
}

bool JsonScanner::PassString() {
  if (Peek() != '"') return false;
  size_t i = 1;
  bool ascii = true;
  for (; i < rest_.size() && rest_[i] != '"'; ++i) {
    const auto c = static_cast<unsigned char>(rest_[i]);
    if (c < 0x20) return false;
    if (c >= 0x80) ascii = false;
    if (c != '\\') continue;
    ++i;
    if (i >= rest_.size()) return false;
    if (rest_[i] == 'u') {
      if (rest_.size() < i + 5) return false;
      for (size_t j = 1; j <= 4; ++j) {
        if (std::string_view("0123456789abcdefABCDEF").find(rest_[i + j]) == std::string_view::npos)
          return false;
      }
    } else if (std::string_view("bfnrt\"\\/").find(rest_[i]) == std::string_view::npos) {
      return false;
    }
  }
  if (i >= rest_.size()) return false;
  if (!ascii && !IsValidUtf8(rest_.substr(1, i - 1))) return false;
  rest_.remove_prefix(i + 1);
  return true;
}

size_t JsonScanner::PassDigits() {
  size_t i = 0;
  while (i < rest_.size() && rest_[i] >= '0' && rest_[i] <= '9') ++i;
  rest_.remove_prefix(i);
  return i;
}

bool JsonScanner::PassNumber() {
  if (Peek() == '-') rest_.remove_prefix(1);
  if (Peek() == '0') {
    rest_.remove_prefix(1);
  } else if (PassDigits() == 0) {
    return false;
  }
  if (Peek() == '.') {
    rest_.remove_prefix(1);
    if (PassDigits() == 0) return false;
  }
  if (Peek() == 'e' || Peek() == 'E') {
    rest_.remove_prefix(1);
    if (Peek() == '+' || Peek() == '-') rest_.remove_prefix(1);
    if (PassDigits() == 0) return false;
  }
  return true;
}

bool JsonScanner::PassWord(std::string_view word) {
  if (!rest_.starts_with(word)) return false;
  rest_.remove_prefix(word.size());
  return true;
}

}  // namespace millrace::worker
