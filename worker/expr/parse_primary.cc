#include <algorithm>
#include <limits>

#include "crds/base/text.h"
#include "worker/expr/parser_state.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kReserved[] = {
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",    "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while", "in"};

bool IsReserved(std::string_view name) {
  return std::ranges::find(kReserved, name) != std::end(kReserved);
}

}  // namespace

ExprPtr Parser::ParsePrimary() {
  switch (token_.kind) {
    case TokenKind::kInt:
    case TokenKind::kUint:
    case TokenKind::kDouble:
    case TokenKind::kString:
    case TokenKind::kBytes:
      return ParseLiteral(/*negative=*/false);
    case TokenKind::kIdent:
      return ParseName(/*absolute=*/false);
    case TokenKind::kSymbol:
      break;
    case TokenKind::kQuotedIdent:
    case TokenKind::kEnd:
      return Unexpected("a value");
  }
  if (token_.Is("[")) return ParseList();
  if (token_.Is("{")) return ParseMap();
  if (token_.Is(".")) {
    if (!Advance()) return nullptr;
    if (token_.kind != TokenKind::kIdent) return Unexpected("a name behind \".\"");
    return ParseName(/*absolute=*/true);
  }
  if (!token_.Is("(")) return Unexpected("a value");
  const int begin = token_.begin;
  if (!Advance()) return nullptr;
  ExprPtr inner = ParseConditional();
  if (inner == nullptr || !Expect(")", "to close \"(\"")) return nullptr;
  inner->begin = begin;
  inner->end = previous_end_;
  return inner;
}

ExprPtr Parser::ParseLiteral(bool negative) {
  ExprPtr node = New(ExprKind::kLiteral, token_);
  constexpr uint64_t kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (token_.kind == TokenKind::kInt) {
    if (token_.magnitude > kMax + (negative ? 1 : 0)) {
      return Fail(token_.begin, "the number does not fit an int; a uint ends in u");
    }
    node->value =
        Value::Int(static_cast<int64_t>(negative ? 0 - token_.magnitude : token_.magnitude));
  } else if (token_.kind == TokenKind::kUint) {
    node->value = Value::Uint(token_.magnitude);
  } else if (token_.kind == TokenKind::kDouble) {
    node->value = Value::Double(negative ? -token_.real : token_.real);
  } else if (token_.kind == TokenKind::kString) {
    node->value = Value::String(token_.content);
  } else {
    node->value = Value::Bytes(token_.content);
  }
  return Advance() ? std::move(node) : nullptr;
}

ExprPtr Parser::ParseName(bool absolute) {
  const Token name = token_;
  if (!Advance()) return nullptr;
  const bool truth = name.text == "true";
  if (!absolute && (truth || name.text == "false" || name.text == "null")) {
    ExprPtr literal = New(ExprKind::kLiteral, name);
    if (name.text != "null") literal->value = Value::Bool(truth);
    return literal;
  }
  if (IsReserved(name.text))
    return Fail(name.begin, "\"" + std::string(name.text) + "\" is a reserved word");
  ExprPtr node = New(token_.Is("(") ? ExprKind::kCall : ExprKind::kIdent, name);
  node->name = std::string(name.text);
  node->absolute = absolute;
  return node->kind == ExprKind::kCall ? ParseCall(std::move(node)) : std::move(node);
}

ExprPtr Parser::ParseCall(ExprPtr call) {
  if (!Advance()) return nullptr;
  while (!token_.Is(")")) {
    ExprPtr arg = ParseConditional();
    if (arg == nullptr) return nullptr;
    call->args.push_back(std::move(arg));
    if (token_.Is(")")) break;
    if (!Expect(",", "or \")\" behind an argument")) return nullptr;
    if (token_.Is(")")) return Unexpected("an argument");
  }
  if (!Advance()) return nullptr;
  call = Close(std::move(call));
  return call == nullptr ? nullptr : ExpandMacro(std::move(call));
}

ExprPtr Parser::ParseList() {
  ExprPtr list = New(ExprKind::kList, token_);
  if (!Advance()) return nullptr;
  while (!token_.Is("]")) {
    const bool optional = token_.Is("?");
    if (optional && !Advance()) return nullptr;
    ExprPtr element = ParseConditional();
    if (element == nullptr) return nullptr;
    list->args.push_back(std::move(element));
    list->optional_elements.push_back(optional);
    if (!token_.Is("]") && !Expect(",", "or \"]\" behind an element")) return nullptr;
  }
  if (!Advance()) return nullptr;
  return Close(std::move(list));
}

ExprPtr Parser::ParseMap() {
  ExprPtr map = New(ExprKind::kMap, token_);
  if (!Advance()) return nullptr;
  while (!token_.Is("}")) {
    const bool optional = token_.Is("?");
    if (optional && !Advance()) return nullptr;
    ExprPtr key = ParseConditional();
    if (key == nullptr || !Expect(":", "behind a map key")) return nullptr;
    ExprPtr value = ParseConditional();
    if (value == nullptr) return nullptr;
    map->args.push_back(std::move(key));
    map->args.push_back(std::move(value));
    map->optional_elements.push_back(optional);
    if (!token_.Is("}") && !Expect(",", "or \"}\" behind an entry")) return nullptr;
  }
  if (!Advance()) return nullptr;
  return Close(std::move(map));
}

}  // namespace millrace::worker
