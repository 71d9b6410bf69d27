#include "tests/simulation/toy_job.h"

#include <algorithm>

namespace millrace::simulation {

int KeyOf(int partition, int64_t record) {
  uint64_t x = static_cast<uint64_t>(record) * 0x9e3779b97f4a7c15u +
               static_cast<uint64_t>(partition) * 0xbf58476d1ce4e5b9u;
  x ^= x >> 31;
  return static_cast<int>(x % kKeys);
}

bool IsPoison(int partition, int64_t record) {
  return KeyOf(partition, record) == 7 && record % 29 == 3;
}

namespace {

bool LeftOut(const worker::BatchPlan& plan, int partition, int64_t index) {
  return std::any_of(plan.exclusions.begin(), plan.exclusions.end(), [&](const auto& exclusion) {
    return exclusion.partition == partition && exclusion.index == index;
  });
}

// Calls visit(record, whether it is left out) for the first `limit` records of a partition.
template <typename Visit>
void ForEachRecord(const worker::BatchPlan& plan, int partition, int64_t limit,
                   const Visit& visit) {
  for (const worker::PlannedRange& range : plan.sources.at(0).ranges) {
    if (range.partition != partition) continue;
    const int64_t from = std::stoll(range.from);
    for (int64_t index = 0; index < std::min<int64_t>(std::stoll(range.to) - from, limit); ++index)
      visit(from + index, LeftOut(plan, partition, index));
  }
}

}  // namespace

GroupCounts ReadPartition(const worker::BatchPlan& plan, int partition, int64_t limit) {
  GroupCounts counts;
  ForEachRecord(plan, partition, limit, [&](int64_t record, bool left_out) {
    const int key = left_out ? kLeftOut : KeyOf(partition, record);
    ++counts[left_out ? 0 : GroupOf(key)][key];
  });
  return counts;
}

bool Fails(const worker::BatchPlan& plan, int partition, int64_t limit) {
  bool fails = false;
  ForEachRecord(plan, partition, limit, [&](int64_t record, bool left_out) {
    fails = fails || (!left_out && IsPoison(partition, record));
  });
  return fails;
}

bool LeavesOutGood(const worker::BatchPlan& plan) {
  bool good = false;
  for (int partition = 0; partition < kPartitions; ++partition) {
    ForEachRecord(plan, partition, std::numeric_limits<int64_t>::max(),
                  [&](int64_t record, bool left_out) {
                    good = good || (left_out && !IsPoison(partition, record));
                  });
  }
  return good;
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
