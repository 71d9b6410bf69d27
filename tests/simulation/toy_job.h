#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "worker/coordination/batch_plan.h"

// The job that simulations run: records of a few partitions are counted by key, and every changed
// count is a row. Its results are a pure function of the plans, so that an oracle can say what must
// be in the sink.
namespace millrace::simulation {

constexpr int kPartitions = 5;
constexpr int kGroups = 8;
constexpr int kKeys = 40;
constexpr int kLeftOut = kKeys;
constexpr const char* kStage = "counts";

using Counts = std::map<int, int64_t>;      // key -> count
using Rows = std::map<int, std::string>;    // key group -> rows of one task, as text
using GroupCounts = std::map<int, Counts>;  // key group -> its keys

int KeyOf(int partition, int64_t record);
inline int GroupOf(int key) { return key % kGroups; }

// Some records make the batch that reads them fail.
bool IsPoison(int partition, int64_t record);

// What the tasks of `partition` send for its range in `plan`, by key group; of the first `limit`
// records. What the plan leaves out is counted under kLeftOut in group 0.
GroupCounts ReadPartition(const worker::BatchPlan& plan, int partition,
                          int64_t limit = std::numeric_limits<int64_t>::max());
// Whether the range has poison that the plan does not leave out, in its first `limit` records.
bool Fails(const worker::BatchPlan& plan, int partition,
           int64_t limit = std::numeric_limits<int64_t>::max());
// Whether it leaves out what is no poison.
bool LeavesOutGood(const worker::BatchPlan& plan);
// Adds `arrived` to the state of one group; returns the task's rows, empty when nothing changed.
std::string Apply(int64_t batch, const Counts& arrived, Counts* state);

// Runs plans one after another, as nobody in the simulation does.
class Oracle {
 public:
  Rows Run(const worker::BatchPlan& plan);
  const GroupCounts& state() const { return state_; }

 private:
  GroupCounts state_;
};

}  // namespace millrace::simulation
