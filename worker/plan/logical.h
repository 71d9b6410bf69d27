#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "worker/plan/damage.h"
#include "worker/plan/field_needs.h"
#include "worker/plan/recovery.h"
#include "worker/step/step.h"

namespace millrace::worker {

inline constexpr std::string_view kDeadLetterStream = "deadLetters";

// One operation of a job: a source, a step, a union or the dead-letter stream. Inputs have smaller
// numbers.
struct LogicalNode {
  enum class Kind { kSource, kDeadLetters, kNarrow, kKeyed, kUnion } kind = Kind::kSource;
  std::string id;    // "stream.step", a source's name, or "deadLetters"
  std::string path;  // field path of the step
  StepInput output;
  std::vector<int> inputs;  // joins: {left, other}
  const api::Step* step = nullptr;
  int source = -1;
  ProgramRef event_time;  // sources
  std::shared_ptr<const NarrowStep> narrow;
  std::shared_ptr<const KeyedStep> keyed;
  bool dead_letters = false;  // reads deadLetters, directly or not
  bool open = false;          // an error leaves fields of its records unknown
};

struct LogicalPlan {
  std::vector<LogicalNode> nodes;
  std::map<std::string, int, std::less<>> by_name;  // source, stream or deadLetters -> node
  std::vector<std::string> order;                   // streams in the order they were built
  std::map<std::string, TableDeclaration> tables;
};

// Which fields of each step's result are read behind it, by the step's path.
using StepNeeds = std::map<std::string, FieldNeeds>;
struct JobNeeds {
  std::vector<FieldNeeds> sources;
  StepNeeds steps;
};

// The sources' schemas to build against: declared fields and hidden ones.
using SourceSchemas = std::vector<Schema>;

// How a job with errors is checked further: what is damaged, and what is taken for the unknown.
// Refers to the damage.
struct Repair {
  const Damage& damage;
  Guess guess;
};

// Full schemas of all sources, with every hidden field they can have.
SourceSchemas FullSourceSchemas(const api::StreamingJob& job, const Repair& repair,
                                api::Diagnostics* diagnostics);

// Types every step over the given source schemas. Errors go to `diagnostics`; steps behind an error
// are built over what is known of its result. With `needs`, steps that copy rows leave out what
// nobody reads.
LogicalPlan BuildLogical(const api::StreamingJob& job, const SourceSchemas& sources,
                         const StepNeeds* needs, const Repair& repair,
                         api::Diagnostics* diagnostics);

// What of each source and step the job reads, from its sinks and tables backwards.
JobNeeds ComputeNeeds(const api::StreamingJob& job, const LogicalPlan& plan);

// The fields of `record` that come from the source itself: declared ones and those hidden fields
// that generators fill.
SchemaRef PayloadSchema(const api::Source& source, const Schema& record);
// All that the source is asked to provide: the payload and its own hidden fields (__path, __line,
// ...).
SchemaRef WantedSchema(const Schema& record);

// True when a stream, sink or table reads deadLetters.
bool ReadsDeadLetters(const api::StreamingJob& job);

}  // namespace millrace::worker
