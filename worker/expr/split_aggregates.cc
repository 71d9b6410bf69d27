#include <algorithm>

#include "crds/base/text.h"
#include "worker/expr/ast.h"
#include "worker/expr/function_table.h"
#include "worker/expr/parser.h"
#include "worker/expr/program.h"

namespace millrace::worker {
namespace {

// Walks a parsed expression and cuts the calls of aggregate functions out of its text.
class AggregateSplitter {
 public:
  AggregateSplitter(const Ast& ast, std::span<const std::string_view> names,
                    std::vector<ExprError>* errors)
      : text_(ast.text), names_(names), errors_(errors) {}

  AggregateExpression Split(const Expr& root) {
    Visit(root);
    Copy(text_.size());
    return std::move(result_);
  }

 private:
  bool IsAggregate(const Expr& node, bool* has_filter) const {
    if (node.kind != ExprKind::kCall || node.op != Op::kNone || node.method) return false;
    *has_filter = false;
    if (std::ranges::find(names_, std::string_view(node.name)) != names_.end()) return true;
    *has_filter = true;
    return std::ranges::any_of(
        names_, [&](std::string_view name) { return node.name == std::string(name) + "If"; });
  }

  // A call that is neither; its arguments are records' fields or groups' fields, nobody knows.
  static bool IsUnknown(const Expr& node) {
    if (node.kind != ExprKind::kCall || node.op != Op::kNone || node.method) return false;
    const FunctionTable& table = FunctionTable::Get();
    return node.name != "predict" && node.name != "now" &&
           table.Find(node.name, false) == nullptr && table.Find(node.name, true) == nullptr;
  }

  std::string SuggestFor(const std::string& name) const {
    std::vector<std::string> aggregates;
    for (const std::string_view known : names_) {
      aggregates.emplace_back(known);
      aggregates.push_back(aggregates.back() + "If");
    }
    auto near = ClosestName(name, aggregates);
    if (!near) near = ClosestName(name, FunctionTable::Get().Names(false));
    return near ? " Did you mean \"" + *near + "\"?" : "";
  }

  void Visit(const Expr& node) {
    bool has_filter = false;
    if (IsAggregate(node, &has_filter)) {
      Replace(node, AddCall(node, has_filter));
      return;
    }
    if (IsUnknown(node)) {
      errors_->push_back(
          {node.offset, "no aggregate or function " + node.name + "()." + SuggestFor(node.name)});
      return;
    }
    // Text order, so that the pieces between calls are copied once.
    std::vector<const Expr*> children;
    for (const ExprPtr& arg : node.args) children.push_back(arg.get());
    std::ranges::sort(children, {}, &Expr::begin);
    for (const Expr* child : children) Visit(*child);
  }

  void RefuseNested(const Expr& node) {
    bool has_filter = false;
    if (IsAggregate(node, &has_filter)) {
      errors_->push_back(
          {node.offset,
           "aggregates cannot be nested; aggregate the first result in a step of its own"});
    }
    for (const ExprPtr& arg : node.args) RefuseNested(*arg);
  }

  std::string TextOf(const Expr& node) const {
    return std::string(
        text_.substr(static_cast<size_t>(node.begin), static_cast<size_t>(node.end - node.begin)));
  }

  size_t AddCall(const Expr& node, bool has_filter) {
    AggregateCall call;
    call.name = has_filter ? node.name.substr(0, node.name.size() - 2) : node.name;
    call.has_filter = has_filter;
    call.offset = node.offset;
    for (const ExprPtr& arg : node.args) {
      RefuseNested(*arg);
      call.arguments.push_back(TextOf(*arg));
      call.argument_offsets.push_back(arg->begin);
    }
    if (has_filter && call.arguments.empty()) {
      errors_->push_back({node.offset, node.name + "() needs a condition as its last argument"});
    } else if (has_filter) {
      call.filter = std::move(call.arguments.back());
      call.filter_offset = call.argument_offsets.back();
      call.arguments.pop_back();
      call.argument_offsets.pop_back();
    }
    const auto same = std::ranges::find_if(result_.calls, [&](const AggregateCall& other) {
      return other.name == call.name && other.has_filter == call.has_filter &&
             other.arguments == call.arguments && other.filter == call.filter;
    });
    if (same != result_.calls.end()) return static_cast<size_t>(same - result_.calls.begin());
    result_.calls.push_back(std::move(call));
    return result_.calls.size() - 1;
  }

  void Copy(size_t end) {
    result_.outer.append(text_.substr(copied_, end - copied_));
    copied_ = end;
  }

  // Fills up with spaces, so that offsets behind the call stay what they are in the original.
  void Replace(const Expr& node, size_t call) {
    Copy(static_cast<size_t>(node.begin));
    copied_ = static_cast<size_t>(node.end);
    std::string name = "__agg" + std::to_string(call);
    const auto length = static_cast<size_t>(node.end - node.begin);
    if (name.size() < length && copied_ < text_.size()) name.resize(length, ' ');
    result_.outer.append(name);
  }

  std::string_view text_;
  std::span<const std::string_view> names_;
  std::vector<ExprError>* errors_;
  AggregateExpression result_;
  size_t copied_ = 0;
};

}  // namespace

Result<AggregateExpression> SplitAggregates(std::string_view text,
                                            std::span<const std::string_view> names,
                                            std::vector<ExprError>* errors) {
  const size_t before = errors->size();
  const std::unique_ptr<Ast> ast = ParseExpr(text, errors);
  AggregateExpression result;
  if (ast != nullptr) result = AggregateSplitter(*ast, names, errors).Split(*ast->root);
  if (errors->size() == before) return result;
  return InvalidError("aggregate expression: " + (*errors)[before].message);
}

}  // namespace millrace::worker
