#pragma once

#include <cstdint>
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
constexpr const char* kStage = "counts";

using Counts = std::map<int, int64_t>;      // key -> count
using Rows = std::map<int, std::string>;    // key group -> rows of one task, as text
using GroupCounts = std::map<int, Counts>;  // key group -> its keys

int KeyOf(int partition, int64_t record);
inline int GroupOf(int key) { return key % kGroups; }

// What the tasks of `partition` send for its range in `plan`, by key group.
GroupCounts ReadPartition(const worker::BatchPlan& plan, int partition);
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
