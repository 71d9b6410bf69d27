#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "worker/step/aggregate_plan.h"

// Sender sides of aggregates. What they send, per key group, is a record batch of partial results
// (AggregateLayout) behind:
//   combined slices   slice: int, key: bytes
//   single records    key: bytes                                       (count windows)
//   changes           latest: bytes, key: bytes, deleted: bool         (latestBy)
// Keys are encoded keys (KeyEncoder). Sessions have their own, see aggregate_sessions.h.
namespace millrace::worker {

SchemaRef SliceWireSchema(const AggregateLayout& layout);
SchemaRef RecordWireSchema(const AggregateLayout& layout);
SchemaRef ChangeWireSchema(const AggregateLayout& layout);

// Combines records of the source unit into one partial result per (slice, key) in order of arrival,
// so that the result does not depend on how the records were cut into batches. One per task; not
// thread-safe.
class CombineWriter final : public ExchangeWriter {
 public:
  explicit CombineWriter(AggregatePlanRef plan);
  Status Add(const RecordBatch& batch, TaskRun* run) override;
  Status Finish(TaskRun* run, const SendFn& send) override;

 private:
  // Keys of one slice; row i of `keys` has the accumulators of row rows[i].
  struct SliceKeys {
    KeyTable keys;
    std::vector<uint32_t> rows;
  };

  void FindSlices(const EvaluatedRows& rows, const TaskRun& run);
  SliceKeys* SliceOf(int64_t slice);
  void FindRows();
  void FindRun(SliceKeys* slice, std::span<const std::string_view> keys,
               std::span<const uint64_t> hashes, uint32_t* rows);
  void FindScattered();
  std::string_view KeyOf(uint32_t row) const;

  AggregatePlanRef plan_;
  AggregateSet values_;
  std::map<int64_t, std::unique_ptr<SliceKeys>> slices_;
  int64_t last_slice_ = 0;
  SliceKeys* last_ = nullptr;
  uint32_t next_row_ = 0;
  // Of the batch in work.
  std::vector<int64_t> slice_ids_;  // empty: all in one_slice_
  int64_t one_slice_ = 0;
  std::vector<std::string_view> keys_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> found_;
};

// Sends one partial result per record, in order: count windows, latestBy.
class RecordWriter final : public ExchangeWriter {
 public:
  explicit RecordWriter(AggregatePlanRef plan) : plan_(std::move(plan)) {}
  Status Add(const RecordBatch& batch, TaskRun* run) override;
  Status Finish(TaskRun* run, const SendFn& send) override;

 private:
  ColumnRef Deleted(const EvaluatedRows& rows) const;

  AggregatePlanRef plan_;
  std::vector<RecordBatch> pending_;
};

// Sends rows to their units, ascending, order kept inside: row i goes to units[i].
void SendByUnit(const RecordBatch& rows, std::span<const int> units, int num_units,
                const SendFn& send);

}  // namespace millrace::worker
