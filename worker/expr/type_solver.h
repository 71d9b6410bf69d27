#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/data/type.h"

namespace millrace::worker {

// Type inference with type variables (unification over CEL's types). json counts as dyn, which
// matches everything. Nullability never makes a match fail: a T? is usable as T and judged at run
// time. Thread-compatible.
class TypeSolver {
 public:
  // A new, unbound type variable.
  Type Fresh();
  // `type` with every named parameter (A, K, ...) replaced by a variable of its own; `names` keeps
  // them across calls.
  Type Instantiate(const Type& type, std::map<std::string, Type>* names);
  // Whether a value of type `from` can stand where `to` is wanted; binds variables if so and
  // changes nothing if not. A null literal matches a T? and, with `allow_null` or inside
  // containers, any type.
  bool Assign(const Type& to, const Type& from, bool allow_null = false);
  // A point to return to: Undo forgets all bindings made since.
  size_t Mark() const { return trail_.size(); }
  void Undo(size_t mark);
  // The type of a list whose elements are of either type: null and T give T?, unrelated types give
  // dyn.
  Type Join(const Type& a, const Type& b);
  // `type` with bound variables replaced; unbound ones stay, or become dyn with Final.
  Type Resolve(const Type& type) const;
  Type Final(const Type& type) const;

 private:
  bool Match(Type to, Type from, bool allow_null);
  bool MatchStructs(const Type& to, const Type& from);
  void Rebind(size_t variable, const Type& type);
  bool Bind(const Type& variable, const Type& type);
  bool Occurs(size_t variable, const Type& type) const;
  Type Substitute(const Type& type, bool final) const;
  // Follows bound variables at the top; nullable if any of them is.
  Type Prune(Type type) const;

  std::vector<Type> bound_;  // by variable; Kind::kTypeParam of itself while unbound
  std::vector<std::pair<size_t, Type>> trail_;  // what was bound before each binding
};

// A field's declared type as expressions see it: json becomes dyn, at every depth.
Type ExpressionType(const Type& field);
// A result type as a field stores it: dyn becomes json, optional<T> T?, null json?. False when a
// part has no field form (types, maps with other keys than string).
bool StorageType(const Type& type, Type* field);

// "list<int>", "optional<A>", "json": for messages.
std::string TypeText(const Type& type);

}  // namespace millrace::worker
