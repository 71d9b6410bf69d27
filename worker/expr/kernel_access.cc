#include <numeric>

#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

// A field of a struct; of a null struct it is an error.
class MemberNode final : public KernelNode {
 public:
  MemberNode(KernelNodePtr object, size_t member)
      : KernelNode(object->type().fields()[member].type),
        object_(std::move(object)),
        member_(member) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    const KernelVector object = object_->Evaluate(context);
    KernelVector result{object->children[member_], object.constant, {}};
    AddSlow(object, context.rows(), /*nulls=*/true, &result.slow);
    return result;
  }
  bool expensive() const override { return object_->expensive(); }

 private:
  KernelNodePtr object_;
  const size_t member_;
};

// has(object.member): false for a null member and for a null object.
class PresenceNode final : public KernelNode {
 public:
  PresenceNode(KernelNodePtr object, size_t member)
      : KernelNode(Type(Kind::kBool)), object_(std::move(object)), member_(member) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    const KernelVector object = object_->Evaluate(context);
    const Column& child = *object->children[member_];
    auto column = std::make_shared<Column>(type());
    column->bools.assign(context.rows(), 1);
    for (size_t row = 0; row < context.rows(); ++row) {
      const size_t at = object.constant ? 0 : row;
      if (object->IsNull(at) || child.IsNull(at)) column->bools[row] = 0;
    }
    column->set_size(context.rows());
    return {std::move(column), false, object.slow};
  }
  bool expensive() const override { return object_->expensive(); }

 private:
  KernelNodePtr object_;
  const size_t member_;
};

void ListElements(const StrictCall& call, Column* out) {
  const Column& list = *call[0].column;
  std::vector<uint32_t> from(call.rows);
  bool outside = false;
  for (size_t row = 0; row < call.rows; ++row) {
    const size_t at = call[0].constant ? 0 : row;
    const int64_t index = call[1]->ints[call[1].constant ? 0 : row];
    const bool inside =
        index >= 0 && static_cast<uint64_t>(index) < list.list_end(at) - list.list_begin(at);
    from[row] = inside ? static_cast<uint32_t>(list.list_begin(at) + static_cast<size_t>(index))
                       : UINT32_MAX;
    if (inside) continue;
    outside = true;
    call.MarkSlow(row);
  }
  if (!outside) return out->AppendGather(*list.children[0], from);
  Column padded(list.children[0]->type());
  padded.AppendAll(*list.children[0]);
  padded.AppendMissing();
  for (uint32_t& row : from)
    row = row == UINT32_MAX ? static_cast<uint32_t>(padded.size() - 1) : row;
  out->AppendGather(padded, from);
}

void MapValues(const StrictCall& call, Column* out) {
  const Column& map = *call[0].column;
  for (size_t row = 0; row < call.rows; ++row) {
    const size_t at = call[0].constant ? 0 : row;
    const std::string_view key = call[1]->strings[call[1].constant ? 0 : row];
    size_t found = map.list_end(at);
    for (size_t i = map.list_begin(at); i < map.list_end(at) && found == map.list_end(at); ++i) {
      if (map.children[0]->strings[i] == key) found = i;
    }
    if (found < map.list_end(at)) {
      out->AppendFrom(*map.children[1], found);
    } else {
      call.MarkSlow(row);
      out->AppendMissing();
    }
  }
}

}  // namespace

KernelNodePtr MakeMember(KernelNodePtr object, size_t member) {
  return std::make_unique<MemberNode>(std::move(object), member);
}

KernelNodePtr MakePresence(KernelNodePtr object, size_t member) {
  return std::make_unique<PresenceNode>(std::move(object), member);
}

KernelNodePtr MakeIndex(Nodes args) {
  const Type container = args[0]->type();
  const Kind key = args[1]->kind();
  if (container.kind() == Kind::kList && key == Kind::kInt && IsColumnType(container.element())) {
    return MakeStrict(container.element(), std::move(args), ListElements);
  }
  const bool texts = container.kind() == Kind::kMap &&
                     container.map_key().kind() == Kind::kString && key == Kind::kString;
  return texts && IsColumnType(container.map_value())
             ? MakeStrict(container.map_value(), std::move(args), MapValues)
             : nullptr;
}

}  // namespace millrace::worker
