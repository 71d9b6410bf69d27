#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "crds/base/status.h"
#include "worker/data/column.h"
#include "worker/window/aggregate_function.h"

namespace millrace::worker {

// Records to fold in: record i goes to accumulator rows[i]. Only `records` count (ascending) unless
// `all` is set; the others have a null argument or fail the predicate.
struct UpdateArgs {
  std::span<const uint32_t> rows;
  std::span<const ColumnRef> arguments;
  bool all = true;
  std::span<const uint32_t> records;
  const int64_t* times = nullptr;  // order of first, last, collect; nullptr: arrival only
};

template <typename F>
void ForEachRecord(const UpdateArgs& args, F&& function) {
  if (args.all) {
    for (size_t i = 0; i < args.rows.size(); ++i) function(args.rows[i], i);
  } else {
    for (const uint32_t i : args.records) function(args.rows[i], i);
  }
}

using ColumnPtr = std::shared_ptr<Column>;

// The accumulators of one aggregate call for rows [0, n) of a table, column-wise: one virtual call
// handles a whole run of rows. Partial results are columns of AggregateFunction::partials, so they
// travel and are stored as record batches. Merging keeps order: what is in the row counts as
// earlier than what is merged in. Resetting a row makes it empty. Thread-compatible. Errors:
// kInvalid for overflow and exceeded limits; failed_row() then names the row.
class Accumulator {
 public:
  virtual ~Accumulator() = default;
  // Grows to `rows`; new rows are empty.
  virtual void Resize(size_t rows) = 0;
  virtual Status Update(const UpdateArgs& args) = 0;
  // Partial row begin + i is merged into rows[i].
  virtual Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                       size_t begin) = 0;
  // Takes a partial result out again. Requires: AggregateFunction::invertible.
  virtual Status Subtract(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                          size_t begin);
  virtual void AppendPartials(std::span<const uint32_t> rows,
                              std::span<const ColumnPtr> partials) const = 0;
  virtual void AppendResults(std::span<const uint32_t> rows, Column* out) const = 0;
  virtual void Reset(std::span<const uint32_t> rows) = 0;
  virtual size_t ByteSize() const = 0;

  uint32_t failed_row() const { return failed_row_; }

 protected:
  Status Fail(uint32_t row, std::string message) {
    failed_row_ = row;
    return InvalidError(std::move(message));
  }

 private:
  uint32_t failed_row_ = 0;
};

std::unique_ptr<Accumulator> MakeAccumulator(const AggregateFunction& function);

// ---- one maker per family, for MakeAccumulator ----
std::unique_ptr<Accumulator> MakeNumericAccumulator(const AggregateFunction& function);
std::unique_ptr<Accumulator> MakeValueAccumulator(const AggregateFunction& function);
std::unique_ptr<Accumulator> MakeSetAccumulator(const AggregateFunction& function);
std::unique_ptr<Accumulator> MakeCollectAccumulator(const AggregateFunction& function);
std::unique_ptr<Accumulator> MakeSketchAccumulator(const AggregateFunction& function);

}  // namespace millrace::worker
