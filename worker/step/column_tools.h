#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/record_batch.h"

// Column operations that steps share: outer gathers, retyping and nulling. Pure functions;
// thread-safe.
namespace millrace::worker {

// In row lists of outer gathers: there is no row.
inline constexpr uint32_t kNoRow = UINT32_MAX;

// `column` under another type of the same physical form (nullability, json); shared when the type
// is equal already.
ColumnRef WithType(const ColumnRef& column, const Type& type);
// `column` under a type without nulls; null rows read as their physical zero values.
ColumnRef AsRequired(const ColumnRef& column, const Type& type);
// A copy with nulls at `rows` under the nullable type.
ColumnRef WithNulls(const ColumnRef& column, std::span<const uint32_t> rows);

// Appends null where the column's type allows it, else the type's zero (0, "", [], a struct of
// zeros).
void AppendBlank(Column* column);
// A column of `size` blanks.
ColumnRef BlankColumn(const Type& type, size_t size);
// rows[i] of `column`, a blank where that is kNoRow.
ColumnRef GatherOrBlank(const Column& column, std::span<const uint32_t> rows);
// The same under `type`, which is the column's or its nullable form.
ColumnRef GatherOrBlank(const Column& column, std::span<const uint32_t> rows, const Type& type);

// A struct column over `children` (one per field of `type`); null at the rows where `present[i]` is
// kNoRow.
ColumnRef StructOf(const Type& type, std::vector<ColumnRef> children,
                   std::span<const uint32_t> present);
// The same without nulls.
ColumnRef StructOf(const Type& type, std::vector<ColumnRef> children, size_t size);

// Rows in batches of one schema, each copied only when there is more than one. Requires: at least
// one batch.
RecordBatch Merge(std::span<const RecordBatch> batches);

// Rows of an updating stream that are there: without those marked __deleted.
RecordBatch WithoutDeleted(const RecordBatch& batch);

}  // namespace millrace::worker
