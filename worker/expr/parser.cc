#include "worker/expr/parser.h"

#include <algorithm>

#include "crds/base/text.h"
#include "worker/expr/parser_state.h"

namespace millrace::worker {
namespace {

struct BinaryOp {
  std::string_view symbol;
  Op op;
  int precedence;
};
constexpr BinaryOp kBinaryOps[] = {
    {"||", Op::kOr, 1},       {"&&", Op::kAnd, 2},          {"==", Op::kEqual, 3},
    {"!=", Op::kNotEqual, 3}, {"<=", Op::kLessEqual, 3},    {"<", Op::kLess, 3},
    {">", Op::kGreater, 3},   {">=", Op::kGreaterEqual, 3}, {"+", Op::kAdd, 4},
    {"-", Op::kSubtract, 4},  {"*", Op::kMultiply, 5},      {"/", Op::kDivide, 5},
    {"%", Op::kModulo, 5},
};
constexpr BinaryOp kInOp = {"in", Op::kIn, 3};

const BinaryOp* FindBinaryOp(const Token& token) {
  if (token.IsIdent("in")) return &kInOp;
  if (token.kind != TokenKind::kSymbol) return nullptr;
  for (const BinaryOp& candidate : kBinaryOps) {
    if (candidate.symbol == token.text) return &candidate;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Ast> ParseExpr(std::string_view text, std::vector<ExprError>* errors) {
  const auto fail = [errors](std::string message) {
    errors->push_back({0, std::move(message)});
    return nullptr;
  };
  if (text.size() > kMaxExprBytes) return fail("the expression is longer than 100 kB");
  if (!IsValidUtf8(text)) return fail("the expression is not valid UTF-8");
  auto ast = std::make_unique<Ast>();
  ast->text = std::string(text);
  Parser parser(ast.get());
  ast->root = parser.ParseAll();
  if (ast->root != nullptr) return ast;
  errors->push_back(*parser.error());
  return nullptr;
}

ExprPtr Parser::ParseAll() {
  if (!Advance()) return nullptr;
  if (token_.kind == TokenKind::kEnd) return Fail(0, "the expression is empty");
  ExprPtr root = ParseConditional();
  if (root != nullptr && token_.kind != TokenKind::kEnd)
    return Unexpected("an operator or the end");
  return root;
}

bool Parser::Advance() {
  previous_end_ = token_.end;
  if (lexer_.Next(&token_)) return true;
  if (!error_) error_ = lexer_.error();
  return false;
}

ExprPtr Parser::Fail(int offset, std::string message) {
  if (!error_) error_ = ExprError{offset, std::move(message)};
  return nullptr;
}

ExprPtr Parser::Unexpected(std::string_view wanted) {
  const std::string found = token_.kind == TokenKind::kEnd
                                ? "the expression ends"
                                : "found \"" + Excerpt(token_.text, 40) + "\"";
  return Fail(token_.begin, found + " where " + std::string(wanted) + " is expected");
}

bool Parser::Expect(std::string_view symbol, std::string_view context) {
  if (token_.Is(symbol)) return Advance();
  Unexpected("\"" + std::string(symbol) + "\" " + std::string(context));
  return false;
}

ExprPtr Parser::New(ExprKind kind, const Token& token) {
  auto node = std::make_unique<Expr>();
  node->kind = kind;
  node->offset = node->begin = token.begin;
  node->end = token.end;
  return node;
}

ExprPtr Parser::Close(ExprPtr node) {
  for (const ExprPtr& arg : node->args) {
    node->height = std::max(node->height, arg->height + 1);
    node->begin = std::min(node->begin, arg->begin);
  }
  node->end = std::max(node->end, previous_end_);
  return node->height > kMaxHeight ? TooHigh(*node) : std::move(node);
}

ExprPtr Parser::TooHigh(const Expr& node) {
  return Fail(node.offset, "more than 1,000 operators in a row; split the expression");
}

ExprPtr Parser::NewOp(Op op, const Token& token, ExprPtr left, ExprPtr right) {
  if ((op == Op::kAnd || op == Op::kOr) && left->op == op) {
    left->height = std::max(left->height, right->height + 1);
    left->end = previous_end_;
    left->args.push_back(std::move(right));
    if (left->height > kMaxHeight) return TooHigh(*left);
    return left;
  }
  ExprPtr node = New(ExprKind::kCall, token);
  node->op = op;
  node->args.push_back(std::move(left));
  if (right != nullptr) node->args.push_back(std::move(right));
  return Close(std::move(node));
}

ExprPtr Parser::ParseConditional() {
  if (depth_ >= kMaxNesting) return Fail(token_.begin, "nested more than 250 levels deep");
  ++depth_;
  ExprPtr result = ParseBinary(1);
  if (result != nullptr && token_.Is("?")) {
    const Token question = token_;
    ExprPtr node = NewOp(Op::kConditional, question, std::move(result), nullptr);
    if (node == nullptr || !Advance()) return nullptr;
    ExprPtr then = ParseBinary(1);
    if (then == nullptr || !Expect(":", "of \"?\"")) return nullptr;
    ExprPtr otherwise = ParseConditional();
    if (otherwise == nullptr) return nullptr;
    node->args.push_back(std::move(then));
    node->args.push_back(std::move(otherwise));
    result = Close(std::move(node));
  }
  --depth_;
  return result;
}

ExprPtr Parser::ParseBinary(int min_precedence) {
  ExprPtr left = ParseUnary();
  while (left != nullptr) {
    const BinaryOp* found = FindBinaryOp(token_);
    if (found == nullptr || found->precedence < min_precedence) break;
    const Token symbol = token_;
    if (!Advance()) return nullptr;
    ExprPtr right = ParseBinary(found->precedence + 1);
    if (right == nullptr) return nullptr;
    left = NewOp(found->op, symbol, std::move(left), std::move(right));
  }
  return left;
}

ExprPtr Parser::ParseUnary() {
  std::vector<Token> operators;
  const bool negates = token_.Is("-");
  while (token_.Is(negates ? "-" : "!")) {
    operators.push_back(token_);
    if (!Advance()) return nullptr;
  }
  const bool number = token_.kind == TokenKind::kInt || token_.kind == TokenKind::kDouble;
  ExprPtr operand;
  if (negates && number && !operators.empty()) {
    operand = ParseLiteral(/*negative=*/true);
    if (operand != nullptr) operand->begin = operators.back().begin;
    operators.pop_back();
  } else {
    operand = ParsePrimary();
  }
  if (operand != nullptr) operand = ParseMember(std::move(operand));
  for (; operand != nullptr && !operators.empty(); operators.pop_back()) {
    operand =
        NewOp(negates ? Op::kNegate : Op::kNot, operators.back(), std::move(operand), nullptr);
  }
  return operand;
}

ExprPtr Parser::ParseMember(ExprPtr operand) {
  while (operand != nullptr) {
    if (token_.Is(".")) {
      operand = ParseSelector(std::move(operand));
    } else if (token_.Is("[")) {
      operand = ParseIndex(std::move(operand));
    } else if (token_.Is("{")) {
      return Fail(token_.begin,
                  "message construction is not supported; write a map: {\"name\": value}");
    } else {
      break;
    }
  }
  return operand;
}

ExprPtr Parser::ParseSelector(ExprPtr operand) {
  if (!Advance()) return nullptr;
  const bool optional = token_.Is("?");
  if (optional && !Advance()) return nullptr;
  if (token_.kind != TokenKind::kIdent && token_.kind != TokenKind::kQuotedIdent)
    return Unexpected("a name behind \".\"");
  if (token_.IsIdent("in") || token_.IsIdent("true") || token_.IsIdent("false") ||
      token_.IsIdent("null")) {
    return Fail(token_.begin, "\"" + std::string(token_.text) +
                                  "\" is a reserved word; write it as [\"" +
                                  std::string(token_.text) + "\"]");
  }
  const Token name = token_;
  if (!Advance()) return nullptr;
  const bool call = token_.Is("(") && !optional && name.kind == TokenKind::kIdent;
  ExprPtr node = New(call ? ExprKind::kCall : ExprKind::kSelect, name);
  node->name = std::string(name.text);
  node->method = call;
  node->optional = optional;
  node->args.push_back(std::move(operand));
  return call ? ParseCall(std::move(node)) : Close(std::move(node));
}

ExprPtr Parser::ParseIndex(ExprPtr operand) {
  const Token bracket = token_;
  if (!Advance()) return nullptr;
  const bool optional = token_.Is("?");
  if (optional && !Advance()) return nullptr;
  ExprPtr index = ParseConditional();
  if (index == nullptr || !Expect("]", "behind the index")) return nullptr;
  ExprPtr node = NewOp(Op::kIndex, bracket, std::move(operand), std::move(index));
  if (node != nullptr) node->optional = optional;
  return node;
}

}  // namespace millrace::worker
