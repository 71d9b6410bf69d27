#pragma once

#include <map>
#include <string>

#include "crds/base/status.h"
#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

// What the sinks of a job say of themselves, read when no older generation can write any more.
struct LedgerFacts {
  std::map<std::string, Delivered>
      sinks;            // sinks that keep a ledger; batch 0: it holds nothing yet
  int64_t fence = 0;    // largest fence stored in any sink
  int64_t slots = 0;    // most slots that any ledger names
  std::string missing;  // a sink whose ledger should be there and is not; empty: none
};

// What batches may be run again, compared with the store (protocol section 9): ok with `skip`, or
// why the job must stop, as kInternal "StateLost: ..." or "StateRolledBack: ...". A ledger may be
// missing where another spec than `spec_hash` wrote the commit: the sink may be new. Pure.
struct LedgerVerdict {
  Status status;
  std::map<std::string, Delivered> skip;
};
LedgerVerdict JudgeLedgers(const JobFacts& facts, const LedgerFacts& ledgers,
                           const std::string& spec_hash);

// Whether something of `batch` may be visible: its plan can never change then. Pure.
bool HasBegun(const JobFacts& facts, const LedgerFacts& ledgers, int64_t batch);

}  // namespace millrace::worker
