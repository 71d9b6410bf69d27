#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/coordination/batch_plan.h"
#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

struct StageSize {
  int64_t units = 0;      // with state
  int64_t snapshots = 0;  // blobs that the last commit reaches
  int64_t deltas = 0;
  int64_t bytes = 0;  // of these, as stored
};

// What the store holds of one job, read in a few steps that belong to one commit. A value.
struct JobView {
  std::string name;  // <namespace>/<job>/<jobId>
  JobFacts facts;
  CommitPoint commit;
  std::vector<BatchPlan> plans;             // behind the commit
  std::map<std::string, StageSize> stages;  // by stage id
  int64_t bytes() const;
};

// Reads a job. `base`: J. Blocking. Errors: kNotFound without the job; kUnavailable of the client;
// kInternal for damaged records.
Result<JobView> ReadJobView(JobStore* store, const std::string& base);

// Tables for the terminal and JSON. Pure.
std::string JobListAsText(const std::vector<JobView>& jobs);
std::string JobListAsJson(const std::vector<JobView>& jobs);
std::string JobAsText(const JobView& job);
std::string JobAsJson(const JobView& job);

}  // namespace millrace::worker
