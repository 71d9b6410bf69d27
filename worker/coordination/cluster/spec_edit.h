#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/coordination/cluster/job_store.h"
#include "worker/coordination/state_shape.h"

// Two specs of one job: what the store keeps of each, whether state can go from one to the other,
// and which of them runs (protocol section 13). All pure.
namespace millrace::worker {

// What must be known of a spec when another one follows it. Encoded form, version 1: see
// spec_edit.cc.
struct SpecRecord {
  std::map<std::string, std::string> fields;  // top-level field -> digest
  std::string shape;                          // of its stateful steps
  bool operator==(const SpecRecord&) const = default;
};
std::string EncodeSpec(const SpecRecord& spec);
Result<SpecRecord> DecodeSpec(std::string_view bytes);

// The spec that a worker was started with.
struct OwnSpec {
  int64_t generation = 0;  // metadata.generation, 0 where nobody counts
  std::string hash;
  SpecRecord record;
  bool allow_state_loss = false;
  int groups = 128;
};

// The spec that wrote the last commit; none of own hash or before the first commit is needed.
// kInvalid "UpgradeBlocked: ..." when the store has no record of it.
Result<SpecRecord> CommittedSpec(const JobFacts& facts);

// Whether `own` can go on from the last commit: ok, or kInvalid "UpgradeBlocked: ..." that names
// what would be lost and the fields that were edited.
Status CheckEdit(const JobFacts& facts, const OwnSpec& own);

// Whether the sinks of `own` are those that the plans beyond the commit were made for, so that
// their ledgers tell all.
bool SameSinks(const JobFacts& facts, const OwnSpec& own);

// The hash of the spec that should run: that of the job as long as one of its members lives and
// stays, unless at least as many members of a newer generation wait; without any, the newest that
// somebody has. Members of equal generation never drive out each other. `live`: members whose beat
// moves. `finish_plans`: planned batches keep the job's spec while a member of it lives.
std::string SpecToRun(const JobFacts& facts, const std::set<std::string>& live, bool finish_plans);

}  // namespace millrace::worker
