#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "worker/window/accumulator.h"

namespace millrace::worker {

// The calls of one step and how their partial results lie side by side. Immutable once built.
struct AggregateLayout {
  std::vector<AggregateFunction> functions;
  std::vector<std::string> labels;    // "sum(price)", for errors
  std::vector<Field> partial_fields;  // of all calls, in order

  void Add(AggregateFunction function, std::string label);
  bool invertible() const;
  // Taking contributions out again gives the same bits as never having added them.
  bool exact() const;
};

// Accumulators of all calls over shared rows. Thread-compatible; the layout must outlive it.
// Errors carry the label of the call; failed_row() is the row they happened in.
class AggregateSet {
 public:
  explicit AggregateSet(const AggregateLayout* layout);

  void Resize(size_t rows);
  Status Update(size_t call, const UpdateArgs& args);
  // `partials` hold all columns of the layout; partial row begin + i belongs to rows[i].
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin = 0);
  Status Subtract(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                  size_t begin = 0);
  std::vector<ColumnRef> Partials(std::span<const uint32_t> rows) const;
  // Appends to columns of AggregateLayout::partial_fields.
  void AppendPartials(std::span<const uint32_t> rows, std::span<const ColumnPtr> columns) const;
  // One column per call.
  std::vector<ColumnRef> Results(std::span<const uint32_t> rows) const;
  // Appends to such columns, which are made when there are none.
  void AppendResults(std::span<const uint32_t> rows, std::vector<ColumnPtr>* columns) const;
  void Reset(std::span<const uint32_t> rows);
  size_t rows() const { return rows_; }
  size_t ByteSize() const;
  uint32_t failed_row() const { return failed_row_; }

 private:
  Status Note(size_t call, const Status& status);

  const AggregateLayout* layout_;
  std::vector<std::unique_ptr<Accumulator>> accumulators_;
  size_t rows_ = 0;
  uint32_t failed_row_ = 0;
};

}  // namespace millrace::worker
