#include <algorithm>

#include "worker/expr/checker_state.h"

namespace millrace::worker {

int Checker::PushLocal(const std::string& name, const Type& type) {
  const int slot = static_cast<int>(locals_.size());
  locals_.push_back({name, type, slot});
  max_slots_ = std::max(max_slots_, slot + 1);
  return slot;
}

bool Checker::RangeTypes(Expr* node, const Type& range, Type* key, Type* element) {
  *key = *element = Dyn();
  if (range.kind() == Kind::kList) {
    *key = Type(Kind::kInt);
    *element = range.element();
  } else if (range.kind() == Kind::kMap) {
    *key = range.map_key();
    *element = range.map_value();
  } else if (range.kind() != Kind::kDyn && range.kind() != Kind::kTypeParam) {
    Error(node->args[0]->begin,
          node->name + "() runs over a list or a map; this is " + TypeText(range));
    return false;
  }
  return true;
}

Type Checker::CheckMacro(Expr* node) {
  const Type range = solver_.Resolve(Check(node->args[0].get()));
  const size_t scope = locals_.size();
  Type result;
  if (node->macro == Macro::kBind) {
    node->slot1 = PushLocal(node->var1, range);
    result = Check(node->args[1].get());
  } else if (node->macro == Macro::kOptMap || node->macro == Macro::kOptFlatMap) {
    result = CheckOptionalMacro(node, range);
  } else {
    Type key;
    Type element;
    RangeTypes(node, range, &key, &element);
    const bool both = !node->var2.empty();
    node->slot1 = PushLocal(node->var1, both || range.kind() == Kind::kMap ? key : element);
    if (both) node->slot2 = PushLocal(node->var2, element);
    const Type first = locals_[scope].type;  // a macro inside moves locals_
    result = MacroResult(node, range, key, first);
  }
  locals_.resize(scope);
  return result;
}

Type Checker::CheckOptionalMacro(Expr* node, const Type& range) {
  Type value = Dyn();
  if (range.kind() == Kind::kOptional) {
    value = range.element();
  } else if (range.kind() != Kind::kDyn) {
    Error(node->args[0]->begin,
          node->name + "() is called on an optional value; this is " + TypeText(range));
  }
  node->slot1 = PushLocal(node->var1, value);
  const Type body = solver_.Resolve(Check(node->args[1].get()));
  if (node->macro == Macro::kOptMap) return Type::Optional(body);
  if (body.kind() == Kind::kOptional || body.kind() == Kind::kDyn) return body;
  return Error(node->args[1]->begin,
               "the result of optFlatMap() must be optional; this is " + TypeText(body));
}

// `element` is what the first variable stands for.
Type Checker::MacroResult(Expr* node, const Type& range, const Type& key, const Type& element) {
  const bool predicate_only = node->macro == Macro::kAll || node->macro == Macro::kExists ||
                              node->macro == Macro::kExistsOne || node->macro == Macro::kFilter;
  if (predicate_only || node->args.size() == 3)
    RequireBool(node->args[1].get(), "the predicate of " + node->name + "()");
  if (node->macro == Macro::kFilter) return Type::List(element);
  if (predicate_only) return Type(Kind::kBool);
  Expr* body_node = node->args.back().get();
  const Type body = solver_.Resolve(Check(body_node));
  if (node->macro == Macro::kSortBy) return Type::List(element);
  if (node->macro == Macro::kMap || node->macro == Macro::kTransformList) return Type::List(body);
  if (node->macro == Macro::kTransformMap)
    return Type::Map(range.kind() == Kind::kDyn ? Dyn() : key, body);
  if (body.kind() == Kind::kMap || body.kind() == Kind::kDyn) return body;
  return Error(
      body_node->begin,
      "the result of transformMapEntry() must be a map with one entry; this is " + TypeText(body));
}

}  // namespace millrace::worker
