#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "worker/coordination/cluster/job_store.h"
#include "worker/coordination/cluster/poison_search.h"

namespace millrace::worker {

// ---- from the leader; each repeated until it is answered, and idempotent by (generation, batch)
// ----

// A generation was made: give up what is not committed, take over the tasks of your slot, fence
// sinks, answer Ready. A member without a seat does nothing more.
struct GenerationMade {
  Generation generation;
  CommitHead commit;
};
struct GenerationOpened {
  Generation generation;
};
struct RunBatch {
  std::string generation;
  PlanEntry plan;
};
struct DeliverBatch {
  std::string generation;
  CommitHead commit;  // batch - 1
  int64_t batch = 0;
};
struct BatchCommitted {
  std::string generation;
  CommitHead commit;
};
// The leader gave its lease back: whoever may follow need not wait.
struct LeaseFreed {};
// Who is there? Whoever lives answers Present, seated or not.
struct RollCall {
  int64_t epoch = 0;
  int64_t number = 0;
};

// Run the first records of a batch that fails, without blobs and without output, in a generation
// that is never opened; or only count the records of your ranges. `limits`: of every range of the
// plan.
struct ProbeBatch {
  std::string generation;
  PlanEntry plan;
  bool count = false;
  std::vector<RangeRecords> limits;
};

// ---- to the leader ----

struct ReadyToRun {
  std::string generation;
  int slot = 0;
};
struct BatchComputed {
  std::string generation;
  int slot = 0;
  int64_t batch = 0;
};
// `facts`: what the slot's tasks read, for the leader's plan maker; opaque here.
struct BatchPrepared {
  std::string generation;
  int slot = 0;
  int64_t batch = 0;
  std::string facts;
};
struct TaskFailed {
  std::string generation;
  int slot = 0;
  int64_t batch = 0;  // 0: taking over or fencing failed
  StatusCode code = StatusCode::kInternal;
  std::string text;
};
struct MemberLeaving {};
// Answers the roll call of that number.
struct Present {
  int64_t epoch = 0;
  int64_t number = 0;
};
// The probe of the generation succeeded here. What fails says TaskFailed.
struct BatchProbed {
  std::string generation;
  int slot = 0;
  std::vector<RangeRecords> counts;  // of the slot's ranges, where they were asked for
};

struct Message {
  std::string member;   // sender
  std::string address;  // where the sender takes answers
  std::variant<GenerationMade, GenerationOpened, RunBatch, DeliverBatch, BatchCommitted, LeaseFreed,
               ReadyToRun, BatchComputed, BatchPrepared, TaskFailed, MemberLeaving, RollCall,
               Present, ProbeBatch, BatchProbed>
      body;
};

// Encoded form, version 1: see messages.cc. Decoding refuses damaged and unknown input with
// kInternal.
std::string EncodeMessage(const Message& message);
Result<Message> DecodeMessage(std::string_view bytes);

}  // namespace millrace::worker
