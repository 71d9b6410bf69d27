#include "worker/expr/field_use.h"

#include <algorithm>
#include <set>

namespace millrace::worker {
namespace {

class UseCollector {
 public:
  void Visit(const Expr& node) {
    if (node.kind == ExprKind::kIdent || node.kind == ExprKind::kSelect) {
      std::vector<std::string> path;
      if (FieldPath(node, &path)) return Add(std::move(path), node.test_only);
    }
    if (const Expr* compared = ComparedWithNull(node); compared != nullptr) {
      std::vector<std::string> path;
      if (FieldPath(*compared, &path)) return Add(std::move(path), true);
    }
    for (const ExprPtr& arg : node.args) Visit(*arg);
  }
  std::vector<FieldUse> Take() { return std::move(uses_); }

 private:
  // The path of a chain of struct selections that starts at a field.
  static bool FieldPath(const Expr& node, std::vector<std::string>* path) {
    if (node.kind == ExprKind::kIdent) {
      if (node.binding == Binding::kField) path->push_back(node.name);
      return node.binding == Binding::kField;
    }
    if (node.kind != ExprKind::kSelect || node.index < 0 || node.binding == Binding::kTable)
      return false;
    if (!FieldPath(*node.args[0], path)) return false;
    path->push_back(node.name);
    return true;
  }

  static bool IsNull(const Expr& node) {
    return node.kind == ExprKind::kLiteral && node.value.is_null();
  }

  static const Expr* ComparedWithNull(const Expr& node) {
    if (node.op != Op::kEqual && node.op != Op::kNotEqual) return nullptr;
    if (IsNull(*node.args[1])) return node.args[0].get();
    return IsNull(*node.args[0]) ? node.args[1].get() : nullptr;
  }

  void Add(std::vector<std::string> path, bool presence_only) {
    const auto known = std::ranges::find(uses_, path, &FieldUse::path);
    if (known != uses_.end()) {
      known->presence_only = known->presence_only && presence_only;
    } else {
      uses_.push_back({std::move(path), presence_only});
    }
  }

  std::vector<FieldUse> uses_;
};

void CollectBindings(const Expr& node, Binding binding, std::set<int>* found) {
  if (node.binding == binding) found->insert(node.index);
  for (const ExprPtr& arg : node.args) CollectBindings(*arg, binding, found);
}

std::vector<int> Bindings(const Expr& root, Binding binding) {
  std::set<int> found;
  CollectBindings(root, binding, &found);
  return {found.begin(), found.end()};
}

}  // namespace

std::vector<FieldUse> CollectUses(const Expr& root) {
  UseCollector collector;
  collector.Visit(root);
  return collector.Take();
}

std::vector<int> UsedFields(const Expr& root) { return Bindings(root, Binding::kField); }
std::vector<int> UsedTables(const Expr& root) { return Bindings(root, Binding::kTable); }

}  // namespace millrace::worker
