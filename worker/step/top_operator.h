#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/step/aggregate_window.h"
#include "worker/step/top_table.h"

namespace millrace::worker {

// What both sides of a top step share. Immutable.
struct TopPlan {
  std::string origin;
  api::ErrorPolicy on_error = api::ErrorPolicy::kFail;
  WindowPlan window;
  TopOrder order;
  std::vector<ProgramRef> order_programs;
  std::vector<int> key_columns;
  std::vector<Type> key_types;
  std::vector<std::string> key_names;
  std::vector<int> field_columns;  // of the input: what leaves
  int units = 1;
  SchemaRef wire_schema;  // slice: int, key: bytes, TopOrder::row_schema
  SchemaRef output_schema;
  bool marks_deletions = false;

  Status KeyError(const Status& status, std::string_view key) const;
};
using TopPlanRef = std::shared_ptr<const TopPlan>;

// Sender side: sends the best rows of the source unit per slice and key. One per task.
class TopWriter final : public ExchangeWriter {
 public:
  explicit TopWriter(TopPlanRef plan) : plan_(std::move(plan)) {}
  Status Add(const RecordBatch& batch, TaskRun* run) override;
  Status Finish(TaskRun* run, const SendFn& send) override;

 private:
  Result<RecordBatch> Candidates(const RecordBatch& batch, TaskRun* run);

  TopPlanRef plan_;
  std::map<int64_t, std::unique_ptr<TopTable>> slices_;
  int64_t next_seq_ = 0;
};

// Receiver side: the best rows per slice and key; windows rank the rows of their slices when they
// leave. State (aggregate_state.h): tag 1 dropped slices, 2 keys whose rows are replaced, 3 rows in
// rank order, 4 next sequence number.
class TopOperator final : public KeyedOperator {
 public:
  explicit TopOperator(TopPlanRef plan) : plan_(std::move(plan)) {}

  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
             std::vector<RecordBatch>* out) override;
  bool HasWork(const BatchContext& context) const override;
  void EncodeDelta(std::string* out) const override;
  void EncodeSnapshot(std::string* out) const override;
  Status Apply(std::string_view blob) override;
  void Settle() override;
  int64_t keys() const override;
  int64_t bytes() const override;

 private:
  // Where a ranked row is.
  struct Place {
    const TopTable* table;
    uint32_t row;
  };
  using Ranks = std::map<std::string, std::vector<int64_t>>;  // key -> ranks

  TopTable* Slice(int64_t start);
  Status Merge(RecordBatch batch, int64_t closed);
  Status Fire(int64_t closed, int64_t bound, TaskRun* run, std::vector<RecordBatch>* out);
  int64_t FirstDue(int64_t closed) const;
  void DropClosed(int64_t bound);
  std::vector<std::string_view> KeysOf(int64_t start, bool changed) const;
  std::vector<Place> Rank(int64_t start, std::string_view key) const;
  std::vector<int64_t> RanksOf(const std::vector<Place>& places) const;
  void RememberRanks(const RecordBatch& batch, int64_t closed);
  Status EmitUpdates(int64_t closed, TaskRun* run, std::vector<RecordBatch>* out);
  Status EmitWindow(int64_t start, bool changed_only, TaskRun* run, std::vector<RecordBatch>* out);
  void EncodeRows(bool all, std::string* out) const;
  std::vector<SchemaRef> Schemas() const;

  TopPlanRef plan_;
  std::map<int64_t, std::unique_ptr<TopTable>> slices_;
  std::map<int64_t, Ranks> ranks_before_;  // by window start, of keys that this batch touches
  std::vector<int64_t> dropped_slices_;    // since Settle
  int64_t fired_before_ = 0;
  int64_t next_seq_ = 0;
};

}  // namespace millrace::worker
