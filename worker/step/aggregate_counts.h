#pragma once

#include <deque>
#include <string>
#include <vector>

#include "worker/step/aggregate_plan.h"

namespace millrace::worker {

// Receiver side of count windows: per key, the records of the last window in panes of gcd(length,
// slide) records. Rows leave in order of the records that complete them; `Changes` and `All` rows
// of windows that are not full follow by key, each of the window of its key that closes next. State
// (aggregate_state.h): tag 1 keys whose panes are replaced, 2 panes, oldest first. One thread at a
// time.
class CountOperator final : public KeyedOperator {
 public:
  explicit CountOperator(AggregatePlanRef plan);

  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
             std::vector<RecordBatch>* out) override;
  bool HasWork(const BatchContext& context) const override;
  void EncodeDelta(std::string* out) const override;
  void EncodeSnapshot(std::string* out) const override;
  Status Apply(std::string_view blob) override;
  void Settle() override;
  int64_t keys() const override { return static_cast<int64_t>(keys_.size()); }
  int64_t bytes() const override;

 private:
  struct Ring {
    std::deque<uint32_t> panes;  // rows of values_, oldest first
    int64_t in_pane = 0;         // records in the newest pane; 0: it is full
    int64_t since_fire = 0;      // records since a window left
  };
  // Windows that are complete: which panes they have.
  struct Fired {
    std::vector<std::string> keys;
    std::vector<uint32_t> windows;  // per pane, index of its window
    std::vector<uint32_t> panes;
  };

  Status Take(const RecordBatch& batch, Fired* fired);
  uint32_t AddRecord(Ring* ring);
  void FireRing(const Ring& ring, std::string_view key, Fired* fired) const;
  void Trim(uint32_t key_row);
  Status Emit(const Fired& fired, TaskRun* run, std::vector<RecordBatch>* out);
  void FireRest(Fired* fired);
  void FireOpen(Fired* fired) const;
  void EraseKey(uint32_t key_row);
  uint32_t NewRow();
  SchemaRef PaneSchema() const;
  void EncodePanes(std::span<const uint32_t> key_rows, std::string* out) const;

  AggregatePlanRef plan_;
  int64_t pane_length_;
  size_t panes_per_window_;
  KeyTable keys_;
  std::vector<Ring> rings_;  // by key row
  AggregateSet values_;
  uint32_t next_row_ = 0;
  std::vector<uint32_t> free_rows_;
  MarkList touched_;               // key rows of the batch in work
  std::vector<uint32_t> retired_;  // panes that left a ring in this batch
  MarkList unsaved_;               // key rows
  std::vector<std::string> dropped_keys_;
};

}  // namespace millrace::worker
