#include "worker/expr/function_table.h"

#include <algorithm>

#include "crds/base/status.h"

namespace millrace::worker {
namespace {

constexpr size_t kOperatorCount = static_cast<size_t>(Op::kIndex) + 1;

// Reads the signature grammar of FunctionTable::Add.
class SignatureParser {
 public:
  explicit SignatureParser(std::string_view text) : rest_(text) {}

  Overload Parse() {
    Overload overload;
    overload.id = rest_.substr(0, rest_.find(':'));
    rest_.remove_prefix(overload.id.size());
    Take(": (");
    while (!rest_.starts_with(")")) {
      overload.params.push_back(ParseType());
      overload.variadic = TryTake("...");
      TryTake(", ");
    }
    Take(") -> ");
    overload.result = ParseType();
    CHECK(rest_.empty());
    return overload;
  }

 private:
  bool TryTake(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  void Take(std::string_view text) { CHECK(TryTake(text)); }

  Type ParseType() {
    const std::string_view name =
        rest_.substr(0, std::min(rest_.size(), rest_.find_first_of("<>,). ")));
    rest_.remove_prefix(name.size());
    if (name.size() == 1) return Type::Param(std::string(name));
    if (name == "dyn") return Type(Kind::kDyn);
    if (name == "null") return Type(Kind::kNull);
    if (name == "type") return Type::TypeOf(Type(Kind::kDyn));
    if (name == "list" || name == "optional") {
      Take("<");
      Type element = ParseType();
      Take(">");
      return name == "list" ? Type::List(std::move(element)) : Type::Optional(std::move(element));
    }
    if (name == "map") {
      Take("<");
      Type key = ParseType();
      Take(",");
      Type value = ParseType();
      Take(">");
      return Type::Map(std::move(key), std::move(value));
    }
    Result<Type> scalar = millrace::worker::ParseType(name);
    CHECK(scalar.ok());
    return *scalar;
  }

  std::string_view rest_;
};

bool Before(const Function& function, std::string_view name, bool method) {
  return function.name != name ? function.name < name : function.method < method;
}

}  // namespace

const FunctionTable& FunctionTable::Get() {
  static const FunctionTable table;
  return table;
}

FunctionTable::FunctionTable() : operators_(kOperatorCount) {
  AddOperators(this);
  AddConversionFunctions(this);
  AddStringFunctions(this);
  AddFormatFunctions(this);
  AddRegexFunctions(this);
  AddMathFunctions(this);
  AddListFunctions(this);
  AddMapFunctions(this);
  AddOptionalFunctions(this);
  AddTimeFunctions(this);
  AddEncodingFunctions(this);
}

void FunctionTable::Add(std::string_view name, bool method, FunctionBody body,
                        std::vector<std::string_view> overloads, int pattern_arg) {
  Function function{std::string(name), method, body, {}, pattern_arg};
  for (std::string_view text : overloads)
    function.overloads.push_back(SignatureParser(text).Parse());
  const auto place =
      std::ranges::find_if(functions_, [&](const Function& f) { return !Before(f, name, method); });
  functions_.insert(place, std::move(function));
}

void FunctionTable::AddOperator(Op op, FunctionBody body, std::vector<std::string_view> overloads) {
  Function& function = operators_[static_cast<size_t>(op)];
  function.name = OpSymbol(op);
  function.body = body;
  for (std::string_view text : overloads)
    function.overloads.push_back(SignatureParser(text).Parse());
}

const Function* FunctionTable::Find(std::string_view name, bool method) const {
  const auto place = std::ranges::partition_point(
      functions_, [&](const Function& f) { return Before(f, name, method); });
  const bool found = place != functions_.end() && place->name == name && place->method == method;
  return found ? &*place : nullptr;
}

const Function& FunctionTable::OfOperator(Op op) const {
  return operators_[static_cast<size_t>(op)];
}

bool FunctionTable::HasNamespace(std::string_view name) const {
  return std::ranges::any_of(functions_, [&](const Function& f) {
    return f.name.size() > name.size() && f.name.starts_with(name) && f.name[name.size()] == '.';
  });
}

std::vector<std::string> FunctionTable::Names(bool method) const {
  std::vector<std::string> names;
  for (const Function& function : functions_) {
    if (function.method == method) names.push_back(function.name);
  }
  return names;
}

std::string_view OpSymbol(Op op) {
  constexpr std::string_view kSymbols[kOperatorCount] = {"",   "? :", "&&", "||", "!",  "-",  "+",
                                                         "-",  "*",   "/",  "%",  "==", "!=", "<",
                                                         "<=", ">",   ">=", "in", "[]"};
  return kSymbols[static_cast<size_t>(op)];
}

}  // namespace millrace::worker
