#pragma once

#include <functional>
#include <vector>

#include "worker/coordination/cluster/generation.h"
#include "worker/exec/executor.h"
#include "worker/plan/job_plan.h"

namespace millrace::worker {

// Whether some stream writes a look-up table.
bool WritesTables(const JobPlan& plan);

// The number by which ports know what goes to all workers' tables: behind the stages of the graph.
int TableStage(const JobGraph& graph);

// Takes rows into a table, by its index in spec.tables.
using ApplyRows = std::function<Status(int table, const std::vector<RecordBatch>& rows)>;

// Gives what a run wrote into stream tables to every worker of the generation, and applies what all
// of them wrote, so that all tables are equal: in the order of the tables, then of (stage, unit,
// order of sending), as one worker alone does it. Every worker calls it once a batch, after the
// stages that write tables. Blocks until all have; ends with the port. Errors: of the port and of
// `apply`.
Status ShareTableRows(const JobPlan& plan, const Generation& generation, int slot,
                      ExchangePort* port, const BatchRun& run, const ApplyRows& apply);

}  // namespace millrace::worker
