#include "worker/expr/kernel_merge.h"

#include <algorithm>

namespace millrace::worker {

void AddDoubtfulRows(const Type& type, KernelResult* result) {
  const Column& column = *result->column;
  const bool nulls = column.has_nulls() && !type.nullable();
  const bool json = column.kind() == Kind::kJson;
  if (!nulls && !json) return;
  std::vector<uint32_t> rows;
  for (size_t row = 0; row < column.size(); ++row) {
    if ((nulls && column.IsNull(row)) || (json && column.strings[row] == "null"))
      rows.push_back(static_cast<uint32_t>(row));
  }
  if (rows.empty()) return;
  std::vector<uint32_t> all;
  std::ranges::set_union(rows, result->slow_rows, std::back_inserter(all));
  result->slow_rows = std::move(all);
}

ColumnRef AsType(ColumnRef column, const Type& type) {
  if (column->type() == type) return column;
  // A column that nobody else holds was made by the kernel and may still change.
  auto own = column.use_count() == 1 ? std::const_pointer_cast<Column>(column)
                                     : std::make_shared<Column>(*column);
  own->set_type(type);
  return own;
}

ColumnRef MergeSlowRows(const KernelResult& result, const Column& slow) {
  if (result.slow_rows.size() == result.column->size()) return std::make_shared<Column>(slow);
  Column both(slow.type());
  both.AppendAll(*result.column);
  both.AppendAll(slow);
  std::vector<uint32_t> from(result.column->size());
  for (size_t row = 0; row < from.size(); ++row) from[row] = static_cast<uint32_t>(row);
  for (size_t i = 0; i < result.slow_rows.size(); ++i)
    from[result.slow_rows[i]] = static_cast<uint32_t>(from.size() + i);
  return Gather(both, from);
}

std::vector<uint32_t> TrueRows(const KernelResult& result) {
  std::vector<uint8_t> taken = result.column->bools;
  for (const uint32_t row : result.slow_rows) taken[row] = 0;
  for (size_t row = 0; row < result.column->valid.size(); ++row)
    taken[row] &= result.column->valid[row];
  // Every row is written, and the next overwrites it unless it counts: no branch to mispredict.
  std::vector<uint32_t> rows(taken.size());
  size_t count = 0;
  for (size_t row = 0; row < taken.size(); ++row) {
    rows[count] = static_cast<uint32_t>(row);
    count += taken[row];
  }
  rows.resize(count);
  return rows;
}

}  // namespace millrace::worker
