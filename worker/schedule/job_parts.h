#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "worker/coordination/coordinator.h"
#include "worker/exec/thread_pool.h"
#include "worker/plan/job_plan.h"
#include "worker/schedule/table_keeper.h"
#include "worker/sink/sink.h"
#include "worker/source/source.h"

namespace millrace::worker {

// A job's live parts, wired by runtime and used by the scheduler. Members are declared in
// dependency order.
struct JobParts {
  Clock* clock = nullptr;
  std::unique_ptr<api::StreamingJob> job;
  std::unique_ptr<Coordinator> coordinator;
  JobRecord record;  // what the coordinator found when it was opened
  JobPlan plan;
  std::vector<std::unique_ptr<Source>> sources;  // by spec.sources; null when nobody reads it
  std::vector<std::unique_ptr<Sink>> sinks;      // by spec.sinks
  std::unique_ptr<TableKeeper> tables;
  std::unique_ptr<ThreadPool> pool;
};

}  // namespace millrace::worker
