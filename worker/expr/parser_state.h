#pragma once

#include <optional>
#include <string>
#include <utility>

#include "worker/expr/ast.h"
#include "worker/expr/lexer.h"
#include "worker/expr/parser.h"

namespace millrace::worker {

// One pass of recursive descent over the tokens of `ast->text`. Every Parse... returns nullptr once
// error() is set. Grammar: google/cel-spec doc/langdef.md, with optional syntax (a.?b, a[?b], [?a],
// {?k: v}). Thread-compatible.
class Parser {
 public:
  explicit Parser(Ast* ast) : ast_(ast), lexer_(ast->text, &ast->arena) {}

  // The whole text; nullptr on failure.
  ExprPtr ParseAll();
  const std::optional<ExprError>& error() const { return error_; }

 private:
  ExprPtr ParseConditional();
  ExprPtr ParseBinary(int min_precedence);
  ExprPtr ParseUnary();
  ExprPtr ParseMember(ExprPtr operand);
  ExprPtr ParseSelector(ExprPtr operand);
  ExprPtr ParseIndex(ExprPtr operand);
  ExprPtr ParsePrimary();
  ExprPtr ParseName(bool absolute);
  ExprPtr ParseLiteral(bool negative);
  ExprPtr ParseList();
  ExprPtr ParseMap();
  // The arguments of a call behind its "(", through ")".
  ExprPtr ParseCall(ExprPtr call);

  // Turns a parsed call into a macro node where name and argument count say so; the call itself
  // where not.
  ExprPtr ExpandMacro(ExprPtr call);
  ExprPtr ExpandHas(ExprPtr call);
  ExprPtr ExpandBind(ExprPtr call);
  ExprPtr MakeMacro(ExprPtr call, Macro macro, size_t variables);

  bool Advance();
  bool Expect(std::string_view symbol, std::string_view context);
  ExprPtr Fail(int offset, std::string message);
  ExprPtr Unexpected(std::string_view wanted);
  ExprPtr New(ExprKind kind, const Token& token);
  ExprPtr NewOp(Op op, const Token& token, ExprPtr left, ExprPtr right);
  // Sets height and extent from the children; fails when the tree grows too high.
  ExprPtr Close(ExprPtr node);
  ExprPtr TooHigh(const Expr& node);

  Ast* ast_;
  Lexer lexer_;
  Token token_;
  int previous_end_ = 0;
  int depth_ = 0;
  std::optional<ExprError> error_;
};

}  // namespace millrace::worker
