#pragma once

#include <string>
#include <utility>
#include <vector>

#include "worker/step/aggregate_plan.h"

namespace millrace::worker {

// Receiver side of latestBy: the last contribution of every latestBy key, and the groups they add
// up to. A record takes the earlier contribution of its key out of its group and puts the new one
// in; of several records of a key in one batch only the last counts. A group whose last
// contribution goes leaves a row marked as deleted. State (aggregate_state.h): tag 1 dropped
// contributions, 2 dropped groups, 3 groups, 4 contributions. One thread at a time.
class LatestOperator final : public KeyedOperator {
 public:
  explicit LatestOperator(AggregatePlanRef plan);

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
  Status Replace(const RecordBatch& rows);
  void MarkGroups(std::span<const uint32_t> groups);
  Status TakeOut(std::span<const uint32_t> contributions);
  Status PutIn(const RecordBatch& rows, std::span<const uint32_t> targets);
  Status GroupError(const Status& status) const;
  Status Emit(TaskRun* run, std::vector<RecordBatch>* out);
  SchemaRef GroupSchema() const;
  SchemaRef ContributionSchema() const;
  void Encode(std::span<const uint32_t> groups, std::span<const uint32_t> contributions,
              std::string* out) const;
  Status ApplyGroup(const RecordBatch& rows, size_t i);
  Status ApplyContribution(const RecordBatch& rows, size_t i);

  AggregatePlanRef plan_;
  GroupTable contributions_;        // by latestBy key
  std::vector<uint32_t> group_of_;  // group row of each contribution, kNone: none yet
  GroupTable groups_;
  std::vector<int64_t> members_;                                     // contributions of each group
  std::vector<std::string> dropped_contributions_, dropped_groups_;  // since Settle
};

}  // namespace millrace::worker
