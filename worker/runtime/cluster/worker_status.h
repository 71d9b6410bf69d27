#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/json_writer.h"
#include "worker/coordination/cluster/job_store.h"
#include "worker/schedule/cluster/cluster_listener.h"

namespace millrace::worker {

// Where a worker stands, as its cores see it. A value.
struct WorkerStatus {
  std::string member;
  std::string state;  // idle, taking over, ready, open
  bool leading = false;
  int64_t epoch = 0;           // of the leader's term
  std::string leader;          // member id
  std::string leader_address;  // both empty while unknown
  std::shared_ptr<const Generation> generation = std::make_shared<const Generation>();
  int slot = -1;
  int64_t committed = 0;
  std::map<std::string, MemberRecord> members;
  // As leader: reading, gathering, fencing, opening, running; why a new generation is made, empty
  // when all is well; and whose Ready it waits for.
  std::string phase;
  std::string reason;
  std::vector<int> waiting_for;

  // Key groups of the worker's slot.
  int key_groups() const;
};

// Remembers what a worker did lately and writes it with its status as JSON: the object "worker" of
// /status (docs/operations.md). Thread-safe.
class WorkerBoard final : public ClusterListener {
 public:
  static constexpr size_t kKeptBatches = 20;
  static constexpr size_t kKeptRecoveries = 10;

  void OnPlan(const BatchPlan& plan) override;
  void OnSlotBatch(const SlotBatch& batch) override;
  void OnTakeOver(const TakeOverProgress& progress) override;

  std::string Json(const WorkerStatus& status) const;

 private:
  void WriteAssignment(const Generation& generation, JsonWriter* out) const;

  mutable std::mutex mutex_;
  // Guarded by mutex_: by source of the job, how many partitions plans have named; the newest
  // batches and recoveries first, with the recovery that is under way.
  std::vector<std::pair<std::string, int>> partitions_;
  std::deque<SlotBatch> batches_;
  std::deque<TakeOverProgress> recoveries_;
};

// Ascending numbers as ranges: "0-3,7".
std::string RangesText(const std::vector<int>& numbers);

}  // namespace millrace::worker
