#include "worker/expr/type_solver.h"

#include <charconv>

namespace millrace::worker {
namespace {

bool IsDyn(const Type& type) { return type.kind() == Kind::kDyn || type.kind() == Kind::kJson; }
bool IsVariable(const Type& type) { return type.kind() == Kind::kTypeParam; }

size_t VariableIndex(const Type& type) {
  size_t index = 0;
  const std::string& name = type.param_name();
  std::from_chars(name.data() + 1, name.data() + name.size(), index);
  return index;
}

Type WithNull(Type type, bool nullable) { return nullable ? type.AsNullable() : type; }

// Rebuilds a type with each of its parts mapped by `map`.
template <typename Map>
Type MapParts(const Type& type, const Map& map) {
  switch (type.kind()) {
    case Kind::kList:
      return WithNull(Type::List(map(type.element())), type.nullable());
    case Kind::kMap:
      return WithNull(Type::Map(map(type.map_key()), map(type.map_value())), type.nullable());
    case Kind::kOptional:
      return Type::Optional(map(type.element()));
    case Kind::kTypeType:
      return Type::TypeOf(map(type.element()));
    case Kind::kStruct: {
      std::vector<Field> fields;
      for (const Field& field : type.fields()) fields.push_back({field.name, map(field.type)});
      return WithNull(Type::Struct(std::move(fields)), type.nullable());
    }
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kJson:
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kTypeParam:
      break;
  }
  return type;
}

}  // namespace

Type TypeSolver::Fresh() {
  bound_.push_back(Type::Param("#" + std::to_string(bound_.size())));
  return bound_.back();
}

Type TypeSolver::Instantiate(const Type& type, std::map<std::string, Type>* names) {
  if (!IsVariable(type))
    return MapParts(type, [&](const Type& part) { return Instantiate(part, names); });
  const auto [entry, added] = names->try_emplace(type.param_name());
  if (added) entry->second = Fresh();
  return WithNull(entry->second, type.nullable());
}

Type TypeSolver::Prune(Type type) const {
  bool nullable = type.nullable();
  while (IsVariable(type)) {
    const Type& next = bound_[VariableIndex(type)];
    if (IsVariable(next) && next.param_name() == type.param_name()) break;
    type = next;
    nullable = nullable || type.nullable();
  }
  return WithNull(type, nullable);
}

bool TypeSolver::Assign(const Type& to, const Type& from, bool allow_null) {
  const size_t mark = Mark();
  if (Match(to, from, allow_null)) return true;
  Undo(mark);
  return false;
}

void TypeSolver::Undo(size_t mark) {
  for (; trail_.size() > mark; trail_.pop_back())
    bound_[trail_.back().first] = trail_.back().second;
}

void TypeSolver::Rebind(size_t variable, const Type& type) {
  trail_.emplace_back(variable, bound_[variable]);
  bound_[variable] = type;
}

bool TypeSolver::Bind(const Type& variable, const Type& type) {
  const size_t index = VariableIndex(variable);
  if (IsVariable(type) && VariableIndex(type) == index) return true;
  if (Occurs(index, type)) return false;
  Rebind(index, type);
  return true;
}

bool TypeSolver::Occurs(size_t variable, const Type& type) const {
  const Type pruned = Prune(type);
  if (IsVariable(pruned)) return VariableIndex(pruned) == variable;
  bool found = false;
  MapParts(pruned, [&](const Type& part) {
    found = found || Occurs(variable, part);
    return part;
  });
  return found;
}

bool TypeSolver::Match(Type to, Type from, bool allow_null) {
  const Type given_to = to;
  to = Prune(to);
  from = Prune(from);
  if (IsVariable(to)) return Bind(to, from);
  if (IsVariable(from)) return Bind(from, to);
  if (IsDyn(to) || IsDyn(from)) return true;
  if (to.kind() == Kind::kNull && IsVariable(given_to)) {
    Rebind(VariableIndex(given_to), from.AsNullable());
    return true;
  }
  if (from.kind() == Kind::kNull || to.kind() == Kind::kNull) {
    return from.kind() == to.kind() || allow_null || to.nullable();
  }
  if (to.kind() != from.kind()) return false;
  switch (to.kind()) {
    case Kind::kList:
    case Kind::kOptional:
      return Match(to.element(), from.element(), true);
    case Kind::kMap:
      return Match(to.map_key(), from.map_key(), false) &&
             Match(to.map_value(), from.map_value(), true);
    case Kind::kStruct:
      return MatchStructs(to, from);
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kJson:
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return true;
  }
  return false;
}

bool TypeSolver::MatchStructs(const Type& to, const Type& from) {
  if (to.fields().size() != from.fields().size()) return false;
  for (const Field& field : to.fields()) {
    const int index = from.FindField(field.name);
    if (index < 0 || !Match(field.type, from.fields()[static_cast<size_t>(index)].type, true))
      return false;
  }
  return true;
}

Type TypeSolver::Join(const Type& first, const Type& second) {
  const Type a = Prune(first);
  const Type b = Prune(second);
  if (IsDyn(a) || IsDyn(b)) return Type(Kind::kDyn);
  if (a.kind() == Kind::kNull) return b.kind() == Kind::kNull ? b : b.AsNullable();
  if (b.kind() == Kind::kNull) return a.AsNullable();
  const bool nullable = a.nullable() || b.nullable();
  if (IsVariable(a) || IsVariable(b))
    return Assign(a, b) ? WithNull(Prune(a), nullable) : Type(Kind::kDyn);
  if (a.kind() != b.kind()) return Type(Kind::kDyn);
  if (a.kind() == Kind::kList)
    return WithNull(Type::List(Join(a.element(), b.element())), nullable);
  if (a.kind() == Kind::kOptional) return Type::Optional(Join(a.element(), b.element()));
  if (a.kind() == Kind::kTypeType) return Type::TypeOf(Type(Kind::kDyn));
  if (a.kind() == Kind::kMap) {
    return WithNull(Type::Map(Join(a.map_key(), b.map_key()), Join(a.map_value(), b.map_value())),
                    nullable);
  }
  if (a.kind() != Kind::kStruct) return WithNull(a, nullable);
  if (!Assign(a, b)) return Type(Kind::kDyn);
  std::vector<Field> fields;
  for (const Field& field : a.fields()) {
    const Type& other = b.fields()[static_cast<size_t>(b.FindField(field.name))].type;
    fields.push_back({field.name, Join(field.type, other)});
  }
  return WithNull(Type::Struct(std::move(fields)), nullable);
}

Type TypeSolver::Resolve(const Type& type) const { return Substitute(type, false); }
Type TypeSolver::Final(const Type& type) const { return Substitute(type, true); }

Type TypeSolver::Substitute(const Type& type, bool final) const {
  const Type pruned = Prune(type);
  if (IsVariable(pruned)) return final ? Type(Kind::kDyn) : pruned;
  return MapParts(pruned, [&](const Type& part) { return Substitute(part, final); });
}

Type ExpressionType(const Type& field) {
  if (field.kind() == Kind::kJson) return Type(Kind::kDyn, field.nullable());
  return MapParts(field, ExpressionType);
}

bool StorageType(const Type& type, Type* field) {
  if (type.kind() == Kind::kDyn) {
    *field = Type(Kind::kJson, type.nullable());
  } else if (type.kind() == Kind::kNull) {
    *field = Type(Kind::kJson, true);
  } else if (type.kind() == Kind::kOptional) {
    if (!StorageType(type.element(), field)) return false;
    *field = field->AsNullable();
  } else if (type.kind() == Kind::kTypeType || type.kind() == Kind::kTypeParam) {
    return false;
  } else {
    if (type.kind() == Kind::kMap && type.map_key().kind() != Kind::kString &&
        type.map_key().kind() != Kind::kDyn)
      return false;
    bool ok = true;
    *field = MapParts(type, [&ok](const Type& part) {
      Type stored;
      ok = StorageType(part, &stored) && ok;
      return stored;
    });
    if (type.kind() == Kind::kMap)
      *field = WithNull(Type::Map(Type(Kind::kString), field->map_value()), type.nullable());
    return ok;
  }
  return true;
}

std::string TypeText(const Type& type) {
  switch (type.kind()) {
    case Kind::kDyn:
      return "json";
    case Kind::kNull:
      return "null";
    case Kind::kTypeParam:
      return type.param_name().starts_with("#") ? "any" : type.param_name();
    case Kind::kOptional:
      return "optional<" + TypeText(type.element()) + ">";
    case Kind::kTypeType:
      return "type";
    case Kind::kList:
      return "list<" + TypeText(type.element()) + ">" + (type.nullable() ? "?" : "");
    case Kind::kMap:
      return "map<" + TypeText(type.map_key()) + "," + TypeText(type.map_value()) + ">" +
             (type.nullable() ? "?" : "");
    case Kind::kStruct: {
      std::string text;
      for (const Field& field : type.fields())
        text += (text.empty() ? "" : ", ") + field.name + ": " + TypeText(field.type);
      return "struct<" + text + ">" + (type.nullable() ? "?" : "");
    }
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kJson:
      break;
  }
  return type.ToString();
}

}  // namespace millrace::worker
