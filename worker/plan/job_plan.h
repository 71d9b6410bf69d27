#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "worker/exec/stage.h"
#include "worker/plan/input_stage.h"
#include "worker/step/pipeline.h"

namespace millrace::worker {

// Where rows leave the graph.
struct PlanEnd {
  enum class Kind { kSink, kTable } kind = Kind::kSink;
  int index = 0;       // in spec.sinks or spec.tables
  std::string stream;  // what it reads
  SchemaRef schema;
  bool updating = false;
  std::vector<std::string> update_key;
  bool dead_letters =
      false;  // reads deadLetters, directly or through streams: delivered in the second wave
};

// A typed stream of the job, for `check` and `explain`.
struct PlanStream {
  std::string name;
  std::string kind;  // "source", "stream" or "table"
  Schema schema;     // full, before pruning
  bool updating = false;
};

// One logical operation, for `explain`.
struct PlanOperation {
  std::string id;           // "stream.step"
  std::string description;  // "aggregate: tumbling 10s by user"
  std::vector<std::string> inputs;
  Schema schema;
  bool keyed = false;
  bool stateful = false;
  int units = 0;
};

// A checked job as stages. Owns the graph and everything its stages refer to; movable (addresses
// stay).
struct JobPlan {
  JobGraph graph;
  std::vector<InputStage*> inputs;  // by source index; null when nobody reads the source
  std::vector<int>
      input_stages;  // by source index: number in the graph; -1 when nobody reads the source
  std::vector<SchemaRef>
      wanted;  // by source index: fields the source must fill (payload and hidden)
  std::vector<PlanEnd> ends;
  int first_dead_letter_stage = 0;  // stages from here on run after the first wave of delivery
  int dead_letter_edge = -1;
  std::unique_ptr<BatchTables> tables;  // filled by the owner before each batch
  std::vector<PlanStream> streams;
  std::vector<PlanOperation> operations;
  std::string shape;  // stateful steps with name, key, window and types: what state belongs to
};

// Type-checks the whole job and cuts it into stages. All errors go to `diagnostics` with their
// field paths; kInvalid when there is any. `diagnostics` may hold errors that were found before,
// those of shape in `shape_errors` too: then what they leave of the job is checked, and nothing
// that follows from them is reported. Requires: the job is of a readable JobDocument. Pure: no I/O.
Result<JobPlan> BuildPlan(const api::StreamingJob& job, api::Diagnostics* diagnostics,
                          const api::Diagnostics& shape_errors = {});

// Drawings of a plan (see docs/cli.md).
enum class ExplainFormat { kTree, kDot, kMermaid, kJson };
std::string Explain(const api::StreamingJob& job, const JobPlan& plan, ExplainFormat format);

}  // namespace millrace::worker
