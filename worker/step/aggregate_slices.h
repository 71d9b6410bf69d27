#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "worker/step/aggregate_plan.h"
#include "worker/step/aggregate_sliding.h"
#include "worker/step/idle_rows.h"

namespace millrace::worker {

// Receiver side of batch, global, tumbling and sliding windows: groups by slice. In a batch,
// windows that closed before it leave first, then arrivals are merged, then windows that the batch
// closes leave; `Changes` and `All` rows leave before those are dropped. State (aggregate_state.h):
// tag 1 dropped slices, 2 dropped groups, 3 groups, 4 start of the next window of a keyless
// aggregate. One thread at a time; the plan is shared.
class SliceOperator final : public KeyedOperator {
 public:
  explicit SliceOperator(AggregatePlanRef plan);

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
  GroupTable* Slice(int64_t start);
  void Count(const GroupTable& table, int sign);
  Status MergeArrived(const RecordBatch& batch);
  Status MergeRun(int64_t slice, std::span<const std::string_view> keys,
                  std::span<const ColumnRef> partials, size_t begin);
  Status Fire(int64_t closed, int64_t bound, TaskRun* run, std::vector<RecordBatch>* out);
  Status FireWindow(int64_t start, TaskRun* run, std::vector<RecordBatch>* out);
  Status FillEmpty(int64_t before_start, TaskRun* run, std::vector<RecordBatch>* out);
  Status DropClosed(int64_t bound);
  Status EmitUpdates(int64_t closed, TaskRun* run, std::vector<RecordBatch>* out);
  Status EmitWindow(int64_t start, const GroupTable& table, std::vector<uint32_t> rows,
                    TaskRun* run, std::vector<RecordBatch>* out);
  void KeepLeavingKeys();
  Status EmitLeaving(TaskRun* run, std::vector<RecordBatch>* out);
  Result<std::unique_ptr<GroupTable>> FoldChanged(int64_t start, bool all) const;
  void Touch(const BatchContext& context);
  void Expire(TaskRun* run);
  int64_t FirstDue(int64_t closed) const;
  SchemaRef GroupSchema() const;
  void AppendGroups(int64_t start, std::span<const uint32_t> rows,
                    std::span<const ColumnPtr> columns) const;
  RecordBatch EncodeGroups(bool all) const;
  RecordBatch EncodeNext() const;
  Status ApplyGroups(const RecordBatch& rows);
  std::vector<SchemaRef> Schemas() const;

  AggregatePlanRef plan_;
  SliceMap slices_;
  int64_t keys_ = 0;  // of all slices
  int64_t bytes_ = 0;
  std::set<int64_t>
      unsaved_slices_;  // those with unsaved groups; the batch in work changed no others
  std::unique_ptr<SlidingWindows> sliding_;
  std::vector<int64_t> dropped_slices_;                          // since Settle
  std::vector<std::pair<int64_t, std::string>> dropped_groups_;  // since Settle
  // Of the batch in work: windows that start before these have left, or closed before it.
  int64_t fired_before_ = 0;
  int64_t open_from_ = 0;
  // Output rows gathered from several windows; the keys lie in their tables, the first
  // `leaving_kept_` in the arena.
  OutputRows leaving_;
  std::vector<ColumnPtr> leaving_results_;
  std::unique_ptr<Arena> leaving_arena_;
  size_t leaving_kept_ = 0;
  // Keyless Final windows: start of the next window to leave, full or empty.
  std::optional<int64_t> next_window_;
  bool next_unsaved_ = false;
  IdleRows idle_;  // of a global window with ttl
};

}  // namespace millrace::worker
