#include "worker/expr/checker.h"

#include <algorithm>

#include "crds/base/text.h"
#include "worker/expr/checker_state.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxListedNames = 20;

constexpr std::string_view kTypeNames[] = {"bool",
                                           "int",
                                           "uint",
                                           "double",
                                           "string",
                                           "bytes",
                                           "list",
                                           "map",
                                           "null_type",
                                           "type",
                                           "google.protobuf.Timestamp",
                                           "google.protobuf.Duration",
                                           "optional_type"};

// "word, count" of what is visible; hidden names only when asked for one.
std::string ListNames(const std::vector<Field>& fields, bool hidden,
                      std::vector<std::string>* names) {
  for (const Field& field : fields) {
    if (hidden || !Schema::IsHidden(field.name)) names->push_back(field.name);
  }
  const size_t shown = std::min(names->size(), kMaxListedNames);
  std::string text = Join(std::span(*names).first(shown), ", ");
  if (shown < names->size()) text += " and " + std::to_string(names->size() - shown) + " more";
  return text;
}

std::string NoField(const std::string& name, const std::vector<Field>& fields,
                    const std::string& where) {
  std::vector<std::string> names;
  const std::string list = ListNames(fields, Schema::IsHidden(name), &names);
  std::string message = "no field \"" + name + "\" in " + where + "; it has " +
                        (names.empty() ? "no fields" : "fields");
  if (!names.empty()) message = "no field \"" + name + "\" in " + where + "; it has: " + list + ".";
  return message + Suggestion(name, names);
}

Type LiteralType(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBool:
      return Type(Kind::kBool);
    case ValueKind::kInt:
      return Type(Kind::kInt);
    case ValueKind::kUint:
      return Type(Kind::kUint);
    case ValueKind::kDouble:
      return Type(Kind::kDouble);
    case ValueKind::kString:
      return Type(Kind::kString);
    case ValueKind::kBytes:
      return Type(Kind::kBytes);
    case ValueKind::kNull:
    case ValueKind::kTimestamp:
    case ValueKind::kDuration:
    case ValueKind::kList:
    case ValueKind::kMap:
    case ValueKind::kStruct:
    case ValueKind::kType:
    case ValueKind::kOptional:
    case ValueKind::kError:
      break;
  }
  return Type(Kind::kNull);
}

}  // namespace

bool CheckExpr(Ast* ast, const ExprEnv& env, CheckMode mode, const Type* expected,
               std::vector<ExprError>* errors) {
  Checker checker(env, mode);
  const Type type = checker.Check(ast->root.get());
  if (expected != nullptr) checker.solver().Assign(ExpressionType(*expected), type, true);
  checker.Finish(ast->root.get());
  ast->slots = checker.max_slots();
  std::vector<ExprError> found = checker.TakeErrors();
  std::ranges::stable_sort(found, {}, &ExprError::offset);
  const bool ok = found.empty();
  std::ranges::move(found, std::back_inserter(*errors));
  return ok;
}

std::string DottedName(const Expr& node) {
  if (node.kind == ExprKind::kIdent) return node.name;
  if (node.kind != ExprKind::kSelect || node.optional || node.test_only) return {};
  const std::string prefix = DottedName(*node.args[0]);
  return prefix.empty() ? prefix : prefix + "." + node.name;
}

std::string Suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  const auto closest = ClosestName(name, candidates);
  return closest ? " Did you mean \"" + *closest + "\"?" : std::string();
}

bool FindTypeName(std::string_view name, std::string_view* canonical) {
  const auto found = std::ranges::find(kTypeNames, name);
  if (found == std::end(kTypeNames)) return false;
  *canonical = *found;
  return true;
}

Type Checker::Error(int offset, std::string message) {
  if (mode_ == CheckMode::kStrict) errors_.push_back({offset, std::move(message)});
  return Dyn();
}

Type Checker::Check(Expr* node) {
  node->type = CheckNode(node);
  return node->type;
}

void Checker::Finish(Expr* node) {
  node->type = solver_.Final(node->type);
  for (const ExprPtr& arg : node->args) Finish(arg.get());
}

Type Checker::CheckNode(Expr* node) {
  switch (node->kind) {
    case ExprKind::kLiteral:
      return LiteralType(node->value);
    case ExprKind::kIdent:
      return CheckIdent(node);
    case ExprKind::kSelect:
      return CheckSelect(node);
    case ExprKind::kCall:
      return CheckCall(node);
    case ExprKind::kList:
      return CheckList(node);
    case ExprKind::kMap:
      return CheckMap(node);
    case ExprKind::kMacro:
      return CheckMacro(node);
  }
  return Dyn();
}

const Checker::Local* Checker::FindLocal(std::string_view name) const {
  const auto found = std::ranges::find(locals_.rbegin(), locals_.rend(), name, &Local::name);
  return found == locals_.rend() ? nullptr : &*found;
}

Type Checker::CheckIdent(Expr* node) {
  const Local* local = node->absolute ? nullptr : FindLocal(node->name);
  if (local != nullptr) {
    node->binding = Binding::kLocal;
    node->index = local->slot;
    return local->type;
  }
  if (node->name == "tables" && !env_.tables.empty())
    return Error(node->offset, "name a table: tables.<name>");
  node->index = env_.fields.Find(node->name);
  if (node->index >= 0) {
    node->binding = Binding::kField;
    return ExpressionType(env_.fields[static_cast<size_t>(node->index)].type);
  }
  std::string_view type_name;
  if (FindTypeName(node->name, &type_name)) {
    node->binding = Binding::kType;
    node->value = Value::TypeName(type_name);
    return Type::TypeOf(Dyn());
  }
  return Error(node->offset, NoField(node->name, env_.fields.fields(), "this record"));
}

Type Checker::CheckSelect(Expr* node) {
  const Expr& operand = *node->args[0];
  if (operand.kind == ExprKind::kIdent && operand.name == "tables" &&
      FindLocal("tables") == nullptr && (!env_.tables.empty() || env_.fields.Find("tables") < 0)) {
    return CheckTable(node);
  }
  std::string_view type_name;
  if (FindTypeName(DottedName(*node), &type_name) && env_.fields.Find("google") < 0) {
    node->kind = ExprKind::kIdent;
    node->binding = Binding::kType;
    node->value = Value::TypeName(type_name);
    node->args.clear();
    return Type::TypeOf(Dyn());
  }
  Type type = solver_.Resolve(Check(node->args[0].get()));
  const bool chained = type.kind() == Kind::kOptional;
  if (chained) type = solver_.Resolve(type.element());
  const Type field = SelectField(node, type);
  if (node->test_only) return Type(Kind::kBool);
  if (!chained && !node->optional) return field;
  return field.kind() == Kind::kOptional ? field : Type::Optional(field.AsRequired());
}

Type Checker::SelectField(Expr* node, const Type& operand) {
  switch (operand.kind()) {
    case Kind::kStruct: {
      node->index = operand.FindField(node->name);
      if (node->index >= 0) return operand.fields()[static_cast<size_t>(node->index)].type;
      const std::string where = DottedName(*node->args[0]);
      return Error(node->offset,
                   NoField(node->name, operand.fields(), where.empty() ? "this struct" : where));
    }
    case Kind::kMap:
      return operand.map_value();
    case Kind::kDyn:
    case Kind::kJson:
    case Kind::kTypeParam:
    case Kind::kNull:
      return Dyn();
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kList:
    case Kind::kOptional:
    case Kind::kTypeType:
      break;
  }
  return Error(node->offset, "no field \"" + node->name + "\": a value of type " +
                                 TypeText(operand) + " has no fields");
}

Type Checker::CheckTable(Expr* node) {
  std::vector<std::string> names;
  for (const TableDeclaration& table : env_.tables) names.push_back(table.name);
  const auto found = std::ranges::find(names, node->name);
  if (found == names.end()) {
    const std::string known =
        names.empty() ? "this job declares none" : "there are: " + Join(names, ", ") + ".";
    return Error(node->offset,
                 "no table \"" + node->name + "\"; " + known + Suggestion(node->name, names));
  }
  node->binding = Binding::kTable;
  node->index = static_cast<int>(found - names.begin());
  const Type list =
      Type::List(ExpressionType(env_.tables[static_cast<size_t>(node->index)].schema.AsStruct()));
  return node->test_only ? Type(Kind::kBool) : list;
}

Type Checker::ElementType(Expr* element, bool optional) {
  const Type type = solver_.Resolve(Check(element));
  if (!optional) return type;
  if (type.kind() == Kind::kOptional) return type.element();
  if (type.kind() == Kind::kDyn) return type;
  return Error(element->begin, "\"?\" needs an optional value; this is " + TypeText(type));
}

Type Checker::CheckList(Expr* node) {
  if (node->args.empty()) return Type::List(solver_.Fresh());
  Type element;
  for (size_t i = 0; i < node->args.size(); ++i) {
    const Type next = ElementType(node->args[i].get(), node->optional_elements[i] != 0);
    element = i == 0 ? next : solver_.Join(element, next);
  }
  return Type::List(element);
}

Type Checker::CheckMap(Expr* node) {
  if (node->args.empty()) return Type::Map(solver_.Fresh(), solver_.Fresh());
  Type key;
  Type value;
  for (size_t i = 0; i < node->args.size(); i += 2) {
    const Type next_key = Check(node->args[i].get());
    const Type next_value =
        ElementType(node->args[i + 1].get(), node->optional_elements[i / 2] != 0);
    key = i == 0 ? next_key : solver_.Join(key, next_key);
    value = i == 0 ? next_value : solver_.Join(value, next_value);
  }
  return Type::Map(key, value);
}

}  // namespace millrace::worker
