#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "worker/step/keyed_state.h"
#include "worker/step/state_plan.h"

namespace millrace::worker {

// State of one key group of a `state` step. `plan` outlives it. One thread at a time.
//
// The records of a batch run in waves: wave k holds the k-th record of every key, so that
// expressions run on columns although each record sees the state that the one before it left.
// Complexity: one evaluation of each expression per wave; as many waves as the busiest key has
// records. Rows leave in order of arrival, then timeouts in order of encoded keys.
class StateOperator final : public KeyedOperator {
 public:
  explicit StateOperator(const StatePlan& plan);

  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
             std::vector<RecordBatch>* out) override;
  bool HasWork(const BatchContext& context) const override;
  void EncodeDelta(std::string* out) const override { state_.Encode(/*snapshot=*/false, out); }
  void EncodeSnapshot(std::string* out) const override { state_.Encode(/*snapshot=*/true, out); }
  Status Apply(std::string_view blob) override { return state_.Apply(blob); }
  void Settle() override { state_.Settle(); }
  int64_t keys() const override { return static_cast<int64_t>(state_.keys().size()); }
  int64_t bytes() const override { return state_.bytes(); }

 private:
  using Rows = std::vector<uint32_t>;

  // One batch of records on its way through the waves.
  struct Passage {
    RecordBatch records;  // all fields
    RecordBatch narrow;   // the fields that expressions read
    std::vector<int64_t> times;
    std::vector<RecordBatch> results;  // output.fields of the waves
    Rows result_records;               // record of each output row
    std::vector<BadRecord> errors;     // by record
  };

  Status LoadInitial(TaskRun* run);
  Status RunRecords(const RecordBatch& records, TaskRun* run, std::vector<RecordBatch>* out);
  Status Order(const RecordBatch& narrow, TaskRun* run, std::vector<BadRecord>* errors,
               Rows* order) const;
  std::vector<Rows> CutWaves(const Rows& order);
  void RunWave(const Rows& wave, TaskRun* run, Passage* passage);
  RecordBatch Named(const SchemaRef& names, const RecordBatch& first,
                    std::initializer_list<const RecordBatch*> states) const;
  RecordBatch Update(const RecordBatch& records, const RecordBatch& before, TaskRun* run,
                     std::vector<BadRecord>* errors) const;
  Rows SelectRows(const ProgramRef& when, const RecordBatch& names, TaskRun* run,
                  std::vector<BadRecord>* errors) const;
  void Emit(const Rows& wave, const Rows& selected, const RecordBatch& names, TaskRun* run,
            Passage* passage, std::vector<BadRecord>* errors, RecordBatch* result) const;
  void Store(const Rows& keys, const Rows& good, const RecordBatch& after,
             const std::vector<int64_t>& dues, const Rows& removed);
  std::vector<int64_t> Dues(const Rows& wave, const Rows& keys, const RecordBatch& after,
                            const Passage& passage, TaskRun* run,
                            std::vector<BadRecord>* errors) const;
  Status FinishRecords(Passage* passage, TaskRun* run, std::vector<RecordBatch>* out) const;
  Status RunTimeouts(TaskRun* run, std::vector<RecordBatch>* out);
  Status EmitTimeouts(const Rows& keys, TaskRun* run, std::vector<RecordBatch>* out) const;
  ColumnRef TimeoutHidden(const Field& field, const Rows& keys, const TaskRun& run) const;
  void ForgetAbsent();

  const StatePlan& plan_;
  KeyedState state_;
  EncodedKeys encoded_;
  Rows key_rows_;                    // key of each record of the batch
  Rows touched_;                     // keys with a record in this batch, each once
  std::vector<uint8_t> is_touched_;  // by key
};

}  // namespace millrace::worker
