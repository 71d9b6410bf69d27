#include "worker/data/column_edit.h"

#include <algorithm>

namespace millrace::worker {
namespace {

template <typename T>
void Shorten(std::vector<T>* values, size_t size) {
  if (values->size() > size) values->resize(size);
}

}  // namespace

void Truncate(Column* column, size_t size) {
  Shorten(&column->valid, size);
  Shorten(&column->bools, size);
  Shorten(&column->ints, size);
  Shorten(&column->uints, size);
  Shorten(&column->doubles, size);
  Shorten(&column->strings, size);
  size_t elements = size;
  if (!column->offsets.empty()) {
    Shorten(&column->offsets, size + 1);
    elements = column->offsets.back();
  }
  for (const auto& child : column->children) Truncate(child.get(), elements);
  column->set_size(std::min(column->size(), size));
}

void DropIdleValidity(Column* column) {
  if (std::find(column->valid.begin(), column->valid.end(), 0) == column->valid.end())
    column->valid.clear();
  for (const auto& child : column->children) DropIdleValidity(child.get());
}

void KeepAlive(Column* column, const std::vector<Owner>& owners) {
  if (column->type().is_binary()) {
    for (const Owner& owner : owners) column->AddOwner(owner);
  }
  for (const auto& child : column->children) KeepAlive(child.get(), owners);
}

}  // namespace millrace::worker
