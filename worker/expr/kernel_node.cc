#include "worker/expr/kernel_node.h"

#include <algorithm>

namespace millrace::worker {

KernelContext::KernelContext(const KernelContext& parent, std::vector<uint32_t> rows)
    : rows_(rows.size()),
      fields_(parent.fields_),
      fallback_(parent.fallback_),
      parent_(&parent),
      selected_(std::move(rows)),
      gathered_(fields_.size()) {
  for (uint32_t& row : selected_) row = static_cast<uint32_t>(parent.BatchRow(row));
}

ColumnRef KernelContext::Field(size_t index) const {
  if (whole()) return fields_[index];
  if (gathered_[index] == nullptr) gathered_[index] = Gather(*fields_[index], selected_);
  return gathered_[index];
}

void AddSlow(const KernelVector& vector, size_t rows, bool nulls, SlowRows* slow) {
  if (!vector.slow.empty()) {
    if (slow->empty()) {
      *slow = vector.slow;
    } else {
      for (size_t i = 0; i < rows; ++i) (*slow)[i] |= vector.slow[i];
    }
  }
  if (!nulls || !vector->has_nulls()) return;
  slow->resize(rows);
  if (vector.constant) {
    if (vector->IsNull(0)) std::fill(slow->begin(), slow->end(), uint8_t{1});
    return;
  }
  for (size_t i = 0; i < rows; ++i) (*slow)[i] |= vector->valid[i] ^ 1;
}

ColumnRef Materialise(const KernelVector& vector, size_t rows) {
  return vector.constant ? RepeatRow(*vector.column, 0, rows) : vector.column;
}

bool IsColumnType(const Type& type) {
  switch (type.kind()) {
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return true;
    case Kind::kList:
      return IsColumnType(type.element());
    case Kind::kMap:
      return IsColumnType(type.map_key()) && IsColumnType(type.map_value());
    case Kind::kStruct:
      return std::ranges::all_of(type.fields(),
                                 [](const Field& field) { return IsColumnType(field.type); });
    case Kind::kJson:
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return false;
  }
  return false;
}

bool HoldsTime(const Type& type) {
  if (type.kind() == Kind::kTimestamp || type.kind() == Kind::kDuration) return true;
  if (type.kind() == Kind::kList) return HoldsTime(type.element());
  if (type.kind() == Kind::kMap) return HoldsTime(type.map_value());
  if (type.kind() != Kind::kStruct) return false;
  return std::ranges::any_of(type.fields(),
                             [](const Field& field) { return HoldsTime(field.type); });
}

namespace {

class FieldNode final : public KernelNode {
 public:
  FieldNode(size_t index, Type type) : KernelNode(std::move(type)), index_(index) {}
  KernelVector Evaluate(const KernelContext& context) const override {
    return {context.Field(index_), false, {}};
  }

 private:
  size_t index_;
};

class StrictNode final : public KernelNode {
 public:
  StrictNode(Type type, Nodes args, StrictBody body, bool expensive)
      : KernelNode(type.AsRequired()), args_(std::move(args)), body_(std::move(body)) {
    expensive_ = expensive || std::ranges::any_of(
                                  args_, [](const KernelNodePtr& arg) { return arg->expensive(); });
  }

  KernelVector Evaluate(const KernelContext& context) const override {
    KernelVector result;
    StrictCall call{context.rows(), {}, &result.slow};
    call.args.reserve(args_.size());
    for (const KernelNodePtr& arg : args_) {
      call.args.push_back(arg->Evaluate(context));
      AddSlow(call.args.back(), call.rows, /*nulls=*/true, &result.slow);
    }
    auto column = std::make_shared<Column>(type());
    body_(call, column.get());
    column->set_size(call.rows);
    result.column = std::move(column);
    return result;
  }

  bool expensive() const override { return expensive_; }

 private:
  Nodes args_;
  StrictBody body_;
  bool expensive_;
};

}  // namespace

KernelNodePtr MakeFieldNode(size_t index, Type type) {
  return std::make_unique<FieldNode>(index, std::move(type));
}

KernelNodePtr MakeStrict(Type type, Nodes args, StrictBody body, bool expensive) {
  return std::make_unique<StrictNode>(std::move(type), std::move(args), std::move(body), expensive);
}

}  // namespace millrace::worker
