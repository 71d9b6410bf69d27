#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "worker/expr/program.h"
#include "worker/expr/value.h"

namespace millrace::worker {

enum class TokenKind : uint8_t {
  kEnd,
  kIdent,
  kQuotedIdent,  // `a-b`, after a dot
  kInt,          // magnitude
  kUint,
  kDouble,
  kString,  // content
  kBytes,   // content
  kSymbol,  // text
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int begin = 0;
  int end = 0;
  std::string_view text;  // as written; the name of a quoted identifier
  uint64_t magnitude = 0;
  double real = 0;
  std::string_view content;  // strings and bytes, escapes resolved

  bool Is(std::string_view symbol) const { return kind == TokenKind::kSymbol && text == symbol; }
  bool IsIdent(std::string_view name) const { return kind == TokenKind::kIdent && text == name; }
};

// Cuts CEL text into tokens, on demand. Views point into `text` and into `arena`, which must
// outlive the tokens. Thread-compatible. Errors: Next returns false and error() tells place and
// reason.
class Lexer {
 public:
  Lexer(std::string_view text, ValueArena* arena) : text_(text), arena_(arena) {}

  bool Next(Token* token);
  const ExprError& error() const { return error_; }

 private:
  char Peek(size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  void SkipSpace();
  bool Fail(size_t offset, std::string message);
  bool Number(Token* token);
  bool Decimal(Token* token, size_t begin);
  bool Hex(Token* token, size_t begin);
  bool Quoted(Token* token, bool bytes, bool raw);
  bool QuotedName(Token* token);
  bool Symbol(Token* token);

  std::string_view text_;
  ValueArena* arena_;
  size_t position_ = 0;
  ExprError error_;
};

// Resolves the escapes of a string or bytes literal body that starts at `offset` of the text. False
// with `error` set for an unknown escape or a code point that does not exist.
bool Unescape(std::string_view body, bool bytes, size_t offset, std::string* out, ExprError* error);
// Appends a code point as UTF-8. Requires: a valid code point.
void AppendUtf8(uint32_t code_point, std::string* out);

}  // namespace millrace::worker
