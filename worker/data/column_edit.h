#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "worker/data/column.h"

// What decoders do to columns that are still being built.
namespace millrace::worker {

// Appends one present value to `values`, which is a vector of `column`. Inline: runs for every
// value of every record.
template <typename T>
inline void Push(Column* column, std::vector<T>* values, T value) {
  values->push_back(value);
  if (!column->valid.empty()) column->valid.push_back(1);
  column->set_size(column->size() + 1);
}

// Drops the rows from `size` on, in nested columns too. No effect when there are fewer.
void Truncate(Column* column, size_t size);
// Restores the rule that `valid` is empty when no value is null.
void DropIdleValidity(Column* column);
// Makes every string column, nested ones too, keep `owners` alive.
void KeepAlive(Column* column, const std::vector<Owner>& owners);

}  // namespace millrace::worker
