#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/record_batch.h"

// Column operations that steps share: outer gathers, retyping and nulling. Pure functions; thread-safe.
namespace millrace::worker {

// In row lists of outer gathers: there is no row.
inline constexpr uint32_t kNoRow = UINT32_MAX;

// `column` under another type of the same physical form (nullability, json); shared when the type is equal already.
ColumnRef WithType(const ColumnRef& column, const Type& type);
// A copy with nulls at `rows` under the nullable type.
ColumnRef WithNulls(const ColumnRef& column, std::span<const uint32_t> rows);

// Appends null where the column's type allows it, else the type's zero (0, "", [], a struct of zeros).
void AppendBlank(Column* column);
// A column of `size` blanks.
ColumnRef BlankColumn(const Type& type, size_t size);
// rows[i] of `column`, a blank where that is kNoRow.
ColumnRef GatherOrBlank(const Column& column, std::span<const uint32_t> rows);

// A struct column over `children` (one per field of `type`); null at the rows where `present[i]` is kNoRow.
ColumnRef StructOf(const Type& type, std::vector<ColumnRef> children,
                   std::span<const uint32_t> present);
// The same without nulls.
ColumnRef StructOf(const Type& type, std::vector<ColumnRef> children, size_t size);

// 1 for each row in which none of `columns` is null; empty when that holds for all rows.
std::vector<uint8_t> RowsWithoutNull(const RecordBatch& batch, std::span<const int> columns);

// The batch with fields renamed or retyped by `schema` position by position.
RecordBatch WithSchema(const RecordBatch& batch, const SchemaRef& schema);
// Rows in batches of one schema, each copied only when there is more than one. Requires: at least one batch.
RecordBatch Merge(std::span<const RecordBatch> batches);
// A copy whose strings do not share memory with `batch`.
RecordBatch DeepCopyBatch(const RecordBatch& batch);

}  // namespace millrace::worker
