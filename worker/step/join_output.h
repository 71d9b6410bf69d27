#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "worker/step/column_tools.h"
#include "worker/step/join_plan.h"
#include "worker/step/row_store.h"

namespace millrace::worker {

// Rows of one side of a join that pairs point into. A view; the rows outlive it.
class JoinRows {
 public:
  explicit JoinRows(const RecordBatch& batch) : batch_(&batch) {}
  explicit JoinRows(const RowStore& store) : store_(&store) {}
  const Column& column(int i) const {
    return batch_ != nullptr ? batch_->column(i) : store_->column(i);
  }

 private:
  const RecordBatch* batch_ = nullptr;
  const RowStore* store_ = nullptr;
};

// Collects pairs of rows and turns them into output batches of at most kPairsPerBatch rows, in the
// order of Add. Either side of a pair may be kNoRow. Thread-compatible.
class JoinOutput {
 public:
  // At most this many pairs per key group and batch; more is an error (a key that joins everything
  // with everything).
  static constexpr int64_t kMaxPairs = 50'000'000;
  static constexpr size_t kPairsPerBatch = 1 << 16;

  JoinOutput(const JoinPlan& plan, const TaskRun& run, std::vector<RecordBatch>* out)
      : plan_(plan), run_(run), out_(out) {}

  // The rows that the pairs to come point into, and their window.
  void Begin(JoinRows left, JoinRows right, int64_t window_start = 0);
  void Add(uint32_t left, uint32_t right) {
    left_ids_.push_back(left);
    right_ids_.push_back(right);
    if (left_ids_.size() == kPairsPerBatch) Flush();
  }
  // Too many pairs already: Finish will fail.
  bool full() const { return pairs_ > kMaxPairs; }
  // Call before the rows of Begin change.
  void Flush();
  // kInvalid, naming the step, when there were too many pairs.
  Status Finish();

 private:
  ColumnRef MakeColumn(const JoinColumn& source, const Field& field) const;
  ColumnRef FromLeft(const JoinColumn& source, const Type& type) const;
  ColumnRef FromKey(const JoinColumn& source, const Type& type) const;
  ColumnRef RightStruct() const;
  ColumnRef Times(const Type& type, const std::function<int64_t(size_t)>& time_of) const;
  ColumnRef EventTimes(const Type& type) const;

  const JoinPlan& plan_;
  const TaskRun& run_;
  std::vector<RecordBatch>* out_;
  std::optional<JoinRows> sides_[2];
  int64_t window_start_ = 0;
  std::vector<uint32_t> left_ids_;
  std::vector<uint32_t> right_ids_;
  int64_t pairs_ = 0;
};

// Pairs of equal keys of two batches: for each left row its right rows in order, or none where the
// join keeps the left; then the right rows that found no partner where it keeps the right. O(rows +
// pairs).
void JoinBatches(const JoinPlan& plan, const RecordBatch& left, const RecordBatch& right,
                 int64_t window_start, JoinOutput* output);

// 1 per row whose key columns hold no null; empty when no key is null.
std::vector<uint8_t> RowsWithKey(const RecordBatch& batch, const std::vector<int>& columns);

}  // namespace millrace::worker
