#include "tests/simulation/toy_job.h"

namespace millrace::simulation {

int KeyOf(int partition, int64_t record) {
  uint64_t x = static_cast<uint64_t>(record) * 0x9e3779b97f4a7c15u +
               static_cast<uint64_t>(partition) * 0xbf58476d1ce4e5b9u;
  x ^= x >> 31;
  return static_cast<int>(x % kKeys);
}

GroupCounts ReadPartition(const worker::BatchPlan& plan, int partition) {
  GroupCounts counts;
  for (const worker::PlannedRange& range : plan.sources.at(0).ranges) {
    if (range.partition != partition) continue;
    for (int64_t record = std::stoll(range.from); record < std::stoll(range.to); ++record) {
      const int key = KeyOf(partition, record);
      ++counts[GroupOf(key)][key];
    }
  }
  return counts;
}

std::string Apply(int64_t batch, const Counts& arrived, Counts* state) {
  std::string rows;
  for (const auto& [key, count] : arrived) {
    (*state)[key] += count;
    rows += std::to_string(batch) + ":" + std::to_string(key) + "=" +
            std::to_string((*state)[key]) + " ";
  }
  return rows;
}

Rows Oracle::Run(const worker::BatchPlan& plan) {
  GroupCounts arrived;
  for (int partition = 0; partition < kPartitions; ++partition) {
    for (const auto& [group, counts] : ReadPartition(plan, partition)) {
      for (const auto& [key, count] : counts) arrived[group][key] += count;
    }
  }
  Rows rows;
  for (const auto& [group, counts] : arrived)
    rows[group] = Apply(plan.batch, counts, &state_[group]);
  return rows;
}

}  // namespace millrace::simulation
