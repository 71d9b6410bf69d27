#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "crds/base/clock.h"
#include "worker/coordination/cluster/messages.h"

namespace millrace::worker {

// What the coordination cores ask of their surroundings. A core never blocks, has no thread and
// reads no clock: it is told what happened and answers with actions, so that a simulation runs the
// very code that production runs.

// Carry out a store request and hand the reply to `done`. Requests of one core are carried out in
// order.
struct CallStore {
  StoreRequest request;
  std::function<void(const StoreReply&, MonotonicTime)> done;
};
// Send to a peer; may be lost, repeated or late.
struct SendMessage {
  std::string address;
  Message message;
};

// ---- the leader's ----

// Read every sink's ledgers: nobody older can write any more. Answer: LeaderCore::OnLedgers.
struct ReadLedgers {
  std::string generation;
};
// The core is done: the process is leader no longer. `status` is ok when it was replaced or stepped
// down.
struct EndLeadership {
  Status status;
};

// ---- the lease keeper's ----

struct LeadershipWon {
  Lease lease;
};
struct LeadershipLost {};

// ---- the member's ----

// Stop tasks and deliveries of the generation in work and undo what is not committed; then restore
// the state of `slot` as of `commit` and fence the sinks. Answer: MemberCore::OnTakenOver.
struct TakeOver {
  Generation generation;
  int slot = 0;
  CommitHead commit;
};
// Run the slot's tasks of a plan and store their deltas. Answer: OnComputed.
struct ComputeBatch {
  std::string generation;
  PlanEntry plan;
};
// Write what the sinks do not hold yet. Answer: OnDelivered, with the report of heads and the facts
// for the leader.
struct DeliverOutput {
  Generation generation;  // with skip
  int64_t batch = 0;
  std::string digest;
};
// Run the first records of a batch without blobs and output, or count the slot's records of each
// range. The state in memory counts no more: a new generation follows. Answer: OnProbed.
struct RunProbe {
  std::string generation;
  PlanEntry plan;
  bool count = false;
  std::vector<RangeRecords> limits;
};
// What batch `commit` changed is final; sources and sinks may be told.
struct SettleBatch {
  CommitHead commit;
};
// The generation fenced this process, or left it out: all work of it must stop. No answer.
struct StopWork {};

using Action =
    std::variant<CallStore, SendMessage, ReadLedgers, EndLeadership, LeadershipWon, LeadershipLost,
                 TakeOver, ComputeBatch, DeliverOutput, RunProbe, SettleBatch, StopWork>;

}  // namespace millrace::worker
