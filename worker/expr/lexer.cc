#include "worker/expr/lexer.h"

#include <charconv>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameChar(char c) { return IsNameStart(c) || IsDigit(c); }
bool IsQuotedNameChar(char c) {
  return IsNameChar(c) || c == '.' || c == '-' || c == '/' || c == ' ';
}

constexpr std::string_view kSymbols[] = {"&&", "||", "==", "!=", "<=", ">=", "+", "-",
                                         "*",  "/",  "%",  "!",  "<",  ">",  "?", ":",
                                         "(",  ")",  "[",  "]",  "{",  "}",  ".", ","};

// Prefix letters in front of a quote: b, r, br in either case.
bool LiteralPrefix(std::string_view rest, size_t* length, bool* bytes, bool* raw) {
  size_t i = 0;
  *bytes = i < rest.size() && (rest[i] == 'b' || rest[i] == 'B');
  if (*bytes) ++i;
  *raw = i < rest.size() && (rest[i] == 'r' || rest[i] == 'R');
  if (*raw) ++i;
  *length = i;
  return i < rest.size() && (rest[i] == '"' || rest[i] == '\'');
}

}  // namespace

bool Lexer::Fail(size_t offset, std::string message) {
  error_ = {static_cast<int>(offset), std::move(message)};
  return false;
}

void Lexer::SkipSpace() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
      ++position_;
    } else if (c == '/' && Peek(1) == '/') {
      while (position_ < text_.size() && text_[position_] != '\n') ++position_;
    } else {
      return;
    }
  }
}

bool Lexer::Next(Token* token) {
  SkipSpace();
  *token = Token();
  token->begin = token->end = static_cast<int>(position_);
  if (position_ >= text_.size()) return true;
  const char c = text_[position_];
  bool ok = true;
  size_t prefix = 0;
  bool bytes = false;
  bool raw = false;
  if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) {
    ok = Number(token);
  } else if (LiteralPrefix(text_.substr(position_), &prefix, &bytes, &raw)) {
    position_ += prefix;
    ok = Quoted(token, bytes, raw);
  } else if (IsNameStart(c)) {
    token->kind = TokenKind::kIdent;
    while (IsNameChar(Peek())) ++position_;
  } else if (c == '`') {
    return QuotedName(token);
  } else {
    ok = Symbol(token);
  }
  if (!ok) return false;
  token->end = static_cast<int>(position_);
  token->text = text_.substr(token->begin, position_ - token->begin);
  return true;
}

bool Lexer::Number(Token* token) {
  const size_t begin = position_;
  const bool ok = Peek() == '0' && (Peek(1) == 'x' || Peek(1) == 'X') ? Hex(token, begin)
                                                                      : Decimal(token, begin);
  if (ok && IsNameChar(Peek())) {
    return Fail(position_,
                "a number is followed by \"" + Excerpt(text_.substr(position_, 1)) + "\"");
  }
  return ok;
}

bool Lexer::Hex(Token* token, size_t begin) {
  position_ += 2;
  const size_t digits = position_;
  while (IsHexDigit(Peek())) ++position_;
  const auto [end, code] =
      std::from_chars(text_.data() + digits, text_.data() + position_, token->magnitude, 16);
  if (digits == position_) return Fail(begin, "a hexadecimal number needs digits, as in 0x1f");
  if (code != std::errc()) return Fail(begin, "the number does not fit 64 bits");
  token->kind = TokenKind::kInt;
  if (Peek() == 'u' || Peek() == 'U') {
    token->kind = TokenKind::kUint;
    ++position_;
  }
  return true;
}

bool Lexer::Decimal(Token* token, size_t begin) {
  bool real = false;
  while (IsDigit(Peek())) ++position_;
  if (Peek() == '.' && IsDigit(Peek(1))) {
    real = true;
    ++position_;
    while (IsDigit(Peek())) ++position_;
  }
  const size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
  if ((Peek() == 'e' || Peek() == 'E') && IsDigit(Peek(1 + sign))) {
    real = true;
    position_ += 1 + sign;
    while (IsDigit(Peek())) ++position_;
  }
  const char* first = text_.data() + begin;
  const char* last = text_.data() + position_;
  if (real) {
    token->kind = TokenKind::kDouble;
    if (std::from_chars(first, last, token->real).ec == std::errc()) return true;
    return Fail(begin, "the number does not fit a double");
  }
  if (std::from_chars(first, last, token->magnitude).ec != std::errc()) {
    return Fail(begin, "the number does not fit 64 bits");
  }
  token->kind = TokenKind::kInt;
  if (Peek() == 'u' || Peek() == 'U') {
    token->kind = TokenKind::kUint;
    ++position_;
  }
  return true;
}

bool Lexer::Quoted(Token* token, bool bytes, bool raw) {
  const char quote = Peek();
  const size_t length = Peek(1) == quote && Peek(2) == quote ? 3 : 1;
  const std::string_view close = text_.substr(position_, length);
  const size_t opened = position_;
  position_ += length;
  const size_t begin = position_;
  while (text_.substr(position_, length) != close) {
    if (position_ >= text_.size()) return Fail(opened, "the string is not closed");
    if (length == 1 && (Peek() == '\n' || Peek() == '\r')) {
      return Fail(opened,
                  "the string is not closed on its line; use three quotes for several lines");
    }
    position_ += !raw && Peek() == '\\' && position_ + 1 < text_.size() ? 2 : 1;
  }
  const std::string_view body = text_.substr(begin, position_ - begin);
  position_ += length;
  token->kind = bytes ? TokenKind::kBytes : TokenKind::kString;
  if (raw || body.find('\\') == std::string_view::npos) {
    token->content = arena_->Copy(body);
    return true;
  }
  std::string content;
  if (!Unescape(body, bytes, begin, &content, &error_)) return false;
  token->content = arena_->Copy(content);
  return true;
}

bool Lexer::QuotedName(Token* token) {
  const size_t begin = ++position_;
  while (IsQuotedNameChar(Peek())) ++position_;
  if (Peek() != '`' || position_ == begin) {
    return Fail(begin - 1, "a quoted name holds letters, digits, spaces and _ . - / between two `");
  }
  token->kind = TokenKind::kQuotedIdent;
  token->text = text_.substr(begin, position_ - begin);
  token->end = static_cast<int>(++position_);
  return true;
}

bool Lexer::Symbol(Token* token) {
  for (std::string_view symbol : kSymbols) {
    if (text_.substr(position_).starts_with(symbol)) {
      token->kind = TokenKind::kSymbol;
      position_ += symbol.size();
      return true;
    }
  }
  const char c = Peek();
  if (c == '=') return Fail(position_, "\"=\" is not an operator; did you mean \"==\"?");
  if (c == '&' || c == '|') {
    return Fail(position_,
                std::string("\"") + c + "\" is not an operator; did you mean \"" + c + c + "\"?");
  }
  size_t length = 1;
  while (position_ + length < text_.size() && (text_[position_ + length] & 0xc0) == 0x80) ++length;
  return Fail(position_,
              "unexpected character \"" + Excerpt(text_.substr(position_, length)) + "\"");
}

}  // namespace millrace::worker
