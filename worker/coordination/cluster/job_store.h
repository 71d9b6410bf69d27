#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "worker/coordination/cluster/generation.h"

namespace millrace::worker {

// ---- what the shared store keeps of a job (protocol section 2) ----

// One leader term: a number and 128 random bits.
struct Lease {
  std::string token;
  int64_t epoch = 0;
  bool operator==(const Lease&) const = default;
};
struct LeaseRecord {
  Lease lease;
  std::string holder;
  std::string address;
  int64_t beat = 0;
  bool released = true;  // also when there never was one
};
struct MemberRecord {
  std::string address;
  int64_t spec_gen = 0;
  std::string spec_hash;
  int64_t beat = 0;
  bool leaving = false;
};
// A batch that some member has seen committed.
struct KnownCommit {
  int64_t batch = 0;
  std::string digest;
  bool operator==(const KnownCommit&) const = default;
};
struct CommitHead {
  int64_t batch = 0;
  std::string digest;
  std::string generation;  // its name
  std::string record;      // CommitPoint without sources, opaque to the store
  int64_t reports = 0;     // how many slots reported it
  int64_t delivering = 0;  // batch whose output to sinks without a ledger may have begun
  std::string spec_hash;   // of the generation that committed it; not part of messages
};
struct PlanEntry {
  int64_t batch = 0;
  std::string digest;
  std::string spec_hash;
  std::string bytes;  // EncodePlan, opaque to the store
};
struct JobFacts {
  int64_t spec_gen = 0;
  std::string spec_hash;
  std::map<std::string, std::string> specs;  // hash -> EncodeSpec, of those that matter still
  int64_t slots = 0;                         // most that any generation had
  std::string halt;                          // reason, empty: not halted
  std::optional<KnownCommit> suspect;
  LeaseRecord lease;
  std::optional<Generation> generation;
  CommitHead commit;
  std::vector<PlanEntry> plans;  // ascending, commit+1 on
  std::map<std::string, MemberRecord> members;
  std::map<int, bool> ready;  // slots of the generation that are fenced
};

// ---- the scripts (protocol section 3): each one atomic, checks before writes ----

struct InitJob {
  int64_t spec_gen = 0;
  std::string spec_hash;
  std::string spec;  // its record
};
struct ReadJob {};
struct AcquireLease {
  std::string observed_token;
  int64_t observed_beat = 0;
  std::string token;
  std::string holder;
  std::string address;
  int64_t spec_gen = 0;
};
struct RenewLease {
  Lease lease;
};
struct ReleaseLease {
  Lease lease;
};
struct BeatMember {
  std::string member;
  MemberRecord record;
  KnownCommit known;
  bool gone = false;  // the member ends: its record is removed
};
struct HaltJob {
  Lease lease;
  std::string reason;
};
struct NewGeneration {
  Lease lease;
  CommitHead observed;  // batch and generation count
  int64_t spec_gen = 0;
  Generation generation;
  std::string spec;  // the record of the generation's spec, kept when it is another than the job's
};
struct MarkReady {
  std::string generation;
  int slot = 0;
  KnownCommit known;
};
struct OpenGeneration {
  Lease lease;
  std::optional<KnownCommit> suspect;  // as observed
  Generation generation;               // open, with skip
};
struct AppendPlan {
  Lease lease;
  std::string generation;
  std::string previous_digest;
  PlanEntry plan;
};
struct BeginDelivery {
  Lease lease;
  std::string generation;
  int64_t batch = 0;
};
struct AmendPlan {
  Lease lease;
  std::string generation;
  PlanEntry plan;  // without bytes: the plan is removed
};
struct PutPrepared {
  std::string generation;
  int slot = 0;
  int64_t batch = 0;
  std::string report;
};
struct CommitBatch {
  Lease lease;
  std::string generation;
  int64_t batch = 0;
  std::string digest;
  std::string record;
  std::vector<std::pair<std::string, std::string>> offsets;  // changed fields only
};
struct ReadOffsets {};
// Refused unless that is the last commit: older reports are gone.
struct ReadReports {
  std::string generation;
  int64_t batch = 0;
};

using StoreRequest =
    std::variant<InitJob, ReadJob, AcquireLease, RenewLease, ReleaseLease, BeatMember, HaltJob,
                 NewGeneration, MarkReady, OpenGeneration, AppendPlan, BeginDelivery, AmendPlan,
                 PutPrepared, CommitBatch, ReadOffsets, ReadReports>;

enum class StoreCode {
  kOk,
  kLost,         // the job's record is missing
  kHalted,       // stopped until somebody clears it by hand
  kSuspect,      // somebody knows a commit that the store does not: only a new generation may go on
  kStale,        // the caller's lease is not the current one
  kNotCurrent,   // the caller's generation is not the current one
  kRefused,      // another check failed; nothing was written
  kUnavailable,  // not carried out; may be tried again
  kUnknown,      // may have been carried out or not
};
std::string_view StoreCodeName(StoreCode code);

struct StoreReply {
  StoreCode code = StoreCode::kOk;
  std::string detail;                         // which check failed, or what the connection said
  std::shared_ptr<const JobFacts> facts;      // ReadJob
  std::map<std::string, std::string> fields;  // ReadOffsets: all; ReadReports: slot -> report
  Lease lease;                                // AcquireLease
  bool ok() const { return code == StoreCode::kOk; }
};

// The one shared record of a job. Every call is atomic: it does all it says, or nothing. Blocking;
// one call at a time per object, several objects (in several processes) work on one job. Never
// trusts its own clock.
class JobStore {
 public:
  virtual ~JobStore() = default;
  virtual StoreReply Call(const StoreRequest& request) = 0;
};

}  // namespace millrace::worker
