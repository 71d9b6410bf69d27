#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/data/raw_records.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// A table's rows as a list, readable by any expression as `tables.<name>`.
struct TableDeclaration {
  std::string name;
  Schema schema;
};
// One row per table element; the batch pins versions, so contents never change within a batch.
// Keyed like TableDeclaration.
struct TableLists {
  std::vector<std::pair<std::string, RecordBatch>> tables;
};

// What names an expression may use: record fields (with their column index) and tables.
struct ExprEnv {
  Schema fields;
  std::vector<TableDeclaration> tables;
};

// A compile-time error: where in the text, what was found, what was expected.
struct ExprError {
  int offset = 0;  // bytes
  std::string message;
};

// One path of fields that an expression reads: {"bid", "price"}; {"bid"} alone means the whole
// value. `presence_only`: only null-ness is looked at (`x == null`, `has(x.y)`).
struct FieldUse {
  std::vector<std::string> path;
  bool presence_only = false;
};

// A type-checked CEL expression over record fields, ready to run on columns. Immutable; Evaluate is
// thread-safe. Where every sub-expression has a column kernel no value objects are made; the rest
// goes row by row through the general evaluator. Results are the same either way. Source:
// google/cel-spec doc/langdef.md; extensions of docs/expressions.md.
class Program {
 public:
  // Type-checks `text` against `env`. With `expected`, the result must be assignable to it (a `T`
  // fits `T?`; dyn becomes json). On failure all errors found are in `errors` and the Status is
  // kInvalid.
  static Result<std::shared_ptr<const Program>> Compile(std::string_view text, const ExprEnv& env,
                                                        std::vector<ExprError>* errors,
                                                        const Type* expected = nullptr);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Type of the result as a field: optional(T) is T?, dyn is json, a nullable operand may give T?.
  const Type& type() const { return type_; }
  const std::vector<FieldUse>& uses() const { return uses_; }
  std::vector<std::string> used_tables() const;

  // One value per row of `batch`, whose schema has the env's fields (by name, same types). Rows
  // whose evaluation ends in an error hold null (or zero) in the result and are listed in `errors`,
  // ascending by row.
  ColumnRef Evaluate(const RecordBatch& batch, const TableLists* tables,
                     std::vector<BadRecord>* errors) const;
  // Rows where a bool expression is true (null and errors are not), ascending; errors as above.
  void Select(const RecordBatch& batch, const TableLists* tables, std::vector<uint32_t>* rows,
              std::vector<BadRecord>* errors) const;

 private:
  struct Impl;
  Program(std::unique_ptr<Impl> impl, Type type, std::vector<FieldUse> uses);

  std::unique_ptr<Impl> impl_;
  Type type_;
  std::vector<FieldUse> uses_;
};
using ProgramRef = std::shared_ptr<const Program>;

// ---- for steps that have a grammar on top of CEL
// ------------------------------------------------------------

// Aggregate expressions: `sum(price) / double(count())` is split into calls to the named
// aggregates, each with its CEL argument texts, and the CEL expression around them, in which call i
// reads as the field `__agg<i>`. Nested aggregates are an error. `names` are the aggregate function
// names without "If"; "<name>If" takes one more, a predicate, last.
struct AggregateCall {
  std::string name;  // "sum"
  bool has_filter = false;
  std::vector<std::string> arguments;  // CEL texts without the predicate
  std::vector<int> argument_offsets;
  std::string filter;
  int filter_offset = 0;
  int offset = 0;
};
struct AggregateExpression {
  std::vector<AggregateCall> calls;  // equal calls are listed once
  std::string outer;                 // CEL text over __agg<i> and the key fields
};
Result<AggregateExpression> SplitAggregates(std::string_view text,
                                            std::span<const std::string_view> names,
                                            std::vector<ExprError>* errors);

}  // namespace millrace::worker
