#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/coordination/batch_plan.h"
#include "worker/state/state_log.h"

namespace millrace::worker {

// What a job finds when it opens its coordination: identity, the commit and plans beyond it.
struct JobRecord {
  std::string job_id;
  std::string
      generation;  // this process' own, new on every Open, never repeated: "<fence>-<16 hex>"
  std::string spec_hash;  // of the spec that wrote the commit; empty at the first run
  std::string shape;      // stateful steps of that spec, for upgrade checks; empty at the first run
  bool first_run = false;
  CommitPoint commit;
  std::optional<BatchPlan>
      pending;  // plan commit+1, when it was appended before the last process ended
};

// Versions of look-up tables that plans name; kept until no plan or commit needs them.
class TableVersions {
 public:
  virtual ~TableVersions() = default;
  virtual Status PutTable(const std::string& table, const std::string& version,
                          std::string_view bytes) = 0;
  // kInternal "StateLost: ..." for a version that is not kept.
  virtual Result<std::string> GetTable(const std::string& table,
                                       const std::string& version) const = 0;
};

// Plan log and commit of one job (protocol: plan, run, output, commit). Every step is refused
// unless it follows the last one: plans are commit+1, commits name the plan's digest. Loop thread
// only; owns its files.
class Coordinator : public TableVersions {
 public:
  // Takes the lock, reads what is there, starts a generation. kConflict when another process holds
  // the job.
  virtual Result<JobRecord> Open() = 0;
  // Records which spec runs from now on.
  virtual Status SetSpec(const std::string& spec_hash, const std::string& shape) = 0;
  // Appends plan commit+1, or replaces it (Amend: only before any of its output). Durable at the
  // latest with SyncPlan.
  virtual Status AppendPlan(const BatchPlan& plan) = 0;
  // Returns when the appended plan is durable. Required before any output of its batch.
  virtual Status SyncPlan() = 0;
  // Digest D(b) of the appended plan.
  virtual const std::string& plan_digest() const = 0;
  // Atomic and durable: `commit` and all blobs put since the last one count, or none.
  virtual Status Commit(const CommitPoint& commit) = 0;
  // Forgets blobs put since the last commit.
  virtual void Discard() = 0;
  virtual StateLog& state() = 0;
};

// Everything in memory: exactly once until the process ends.
std::unique_ptr<Coordinator> MakeMemoryCoordinator(std::string job_id);
// One framed, checksummed log in `directory` under a lock; fsync at every commit. Survives SIGKILL
// and power loss.
std::unique_ptr<Coordinator> MakeDirectoryCoordinator(std::string directory);

}  // namespace millrace::worker
