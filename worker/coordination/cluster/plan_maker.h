#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/clock.h"
#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

// What a commit writes besides batch and digest.
struct CommitParts {
  std::string record;
  std::vector<std::pair<std::string, std::string>> offsets;  // changed fields
};

// Decides what the next batches read; the leader's view of the sources. Used by one thread; must
// not block on the network.
class PlanMaker {
 public:
  virtual ~PlanMaker() = default;
  // Forgets everything but the committed history.
  virtual Status Resume(const CommitHead& commit,
                        const std::map<std::string, std::string>& offsets) = 0;
  // Takes a plan that is in the plan log already, in order after Resume.
  virtual Status Adopt(const PlanEntry& plan) = 0;
  // The encoded plan of `batch`, the one after the last planned, when its tick is due and there is
  // something to do.
  virtual Result<std::optional<std::string>> Next(int64_t batch) = 0;
  // When to ask again.
  virtual MonotonicTime next_due() const = 0;
  // What the commit of the oldest planned batch says. `facts`: by slot, as the members reported
  // them.
  virtual CommitParts Finish(int64_t batch, const std::vector<std::string>& facts) = 0;
  // The final batch is committed.
  virtual bool completed() const = 0;
};

}  // namespace millrace::worker
