#pragma once

#include <memory>
#include <string_view>

#include "crds/base/status.h"
#include "worker/data/column.h"
#include "worker/expr/value.h"

namespace millrace::worker {

// Row `row` of a column as a value. Lists, maps and structs refer to the column; strings view its
// bytes; json is read on demand (unescaped strings go to `arena`). The column must outlive the
// value.
Value ColumnValue(ValueArena* arena, const Column& column, size_t row);

// Member `index` of a struct value of any form.
Value StructMember(ValueArena* arena, const Value& value, size_t index);
// Position of a struct value's field, -1 for none.
int FindStructField(const Value& value, std::string_view name);

// Appends values to a column of one type; strings are copied into an arena that the column owns,
// unless they already live in a source column, whose owners are then shared. Thread-compatible.
class ColumnWriter {
 public:
  explicit ColumnWriter(Type type);
  // Fails when the value does not have the column's type (then nothing is appended).
  Status Append(ValueArena* arena, const Value& value);
  void AppendNull() { column_->AppendNull(); }
  // The column; the writer is spent.
  std::shared_ptr<Column> Take();

 private:
  std::shared_ptr<Column> column_;
  std::shared_ptr<Arena> bytes_ = std::make_shared<Arena>();
};

}  // namespace millrace::worker
