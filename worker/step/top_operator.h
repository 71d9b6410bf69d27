#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/step/aggregate_window.h"
#include "worker/step/idle_rows.h"
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

  // Keeps the rows of a batch until their key has other ones.
  bool replaces_batches() const { return window.shape == WindowShape::kBatch && window.updating(); }
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
// leave. An updating top withdraws (__deleted) every row that is not where it was, with the values
// it had, before it says the new ones, so that a sink that replaces by place, by rank or by a field
// of the record holds what counts now. A batch window that updates keeps the rows of each key until
// the key has a record again. State (aggregate_state.h): tag 1 dropped slices, 2 keys whose rows
// are replaced, 3 rows in rank order, 4 next sequence number, 5 when keys were touched (ttl). One
// thread at a time.
class TopOperator final : public KeyedOperator {
 public:
  explicit TopOperator(TopPlanRef plan);

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
    int64_t seq() const { return table->columns()[0]->ints[row]; }
  };
  // The rows of a key in a window as they stood before the batch, best first.
  struct Before {
    std::vector<ColumnPtr> fields;
    std::vector<int64_t> seqs;
    std::vector<int64_t> ranks;
  };
  // Rows that leave, of one window.
  struct Leaving {
    std::vector<ColumnPtr> fields;
    std::vector<int64_t> ranks;
    std::vector<int64_t> places;
    std::shared_ptr<Column> deleted = std::make_shared<Column>(Type(Kind::kBool));
  };

  TopTable* Slice(int64_t start);
  Status Merge(RecordBatch batch);
  Status Fire(int64_t closed, int64_t bound, TaskRun* run, std::vector<RecordBatch>* out);
  int64_t FirstDue(int64_t closed) const;
  void DropClosed(int64_t bound);
  std::vector<std::string_view> KeysOf(int64_t start, bool changed) const;
  std::vector<Place> Rank(int64_t start, std::string_view key) const;
  std::vector<int64_t> RanksOf(const std::vector<Place>& places) const;
  void RememberRows(const RecordBatch& batch, int64_t closed);
  void BeginKeys(const RecordBatch& batch);
  void Touch(const RecordBatch& batch, int64_t now);
  void Expire(TaskRun* run);
  Status EmitUpdates(int64_t closed, TaskRun* run, std::vector<RecordBatch>* out);
  Status EmitWindow(int64_t start, bool changed_only, TaskRun* run, std::vector<RecordBatch>* out);
  std::vector<ColumnPtr> NewFields() const;
  void Withdraw(const Before& before, const std::vector<Place>& places,
                const std::vector<int64_t>& ranks, Leaving* leaving) const;
  void EncodeRows(bool all, std::string* out) const;
  void EncodeTouched(std::span<const uint32_t> key_rows, std::string* out) const;
  std::vector<SchemaRef> Schemas() const;

  TopPlanRef plan_;
  std::map<int64_t, std::unique_ptr<TopTable>> slices_;
  // By window start, of the keys that the batch in work touches.
  std::map<int64_t, std::map<std::string, Before, std::less<>>> before_;
  std::vector<int64_t> dropped_slices_;  // since Settle
  int64_t fired_before_ = 0;
  int64_t next_seq_ = 0;
  // Of a global window with ttl.
  IdleRows idle_;
  MarkList touched_;                       // key rows since Settle
  std::vector<std::string> dropped_keys_;  // since Settle
};

}  // namespace millrace::worker
