#include "worker/coordination/cluster/ledger_verdict.h"

#include <algorithm>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr const char* kRemedy =
    "; restore the newer state, or give the job a new state.id and new outputs";

// The digest of `batch` in the store's history; empty when it has none.
std::string DigestOf(const JobFacts& facts, int64_t batch) {
  if (batch == facts.commit.batch) return facts.commit.digest;
  const auto plan = std::find_if(facts.plans.begin(), facts.plans.end(),
                                 [&](const PlanEntry& p) { return p.batch == batch; });
  return plan == facts.plans.end() ? std::string() : plan->digest;
}

// `digest`: hex digits, perhaps only the first ones.
Status Compare(const JobFacts& facts, const std::string& who, int64_t batch,
               const std::string& digest) {
  if (batch < facts.commit.batch || batch == 0) return OkStatus();
  const std::string known = DigestOf(facts, batch);
  const std::string found = who + " knows batch " + std::to_string(batch) +
                            ", the state is at batch " + std::to_string(facts.commit.batch);
  if (known.empty())
    return InternalError("StateRolledBack: " + found + " without a plan for it" + kRemedy);
  if (HexEncode(known).starts_with(digest)) return OkStatus();
  return InternalError("StateRolledBack: " + found + " with another history" + kRemedy);
}

}  // namespace

LedgerVerdict JudgeLedgers(const JobFacts& facts, const LedgerFacts& ledgers,
                           const std::string& spec_hash) {
  LedgerVerdict verdict;
  const bool edited = facts.commit.spec_hash != spec_hash;
  if (!ledgers.missing.empty() && facts.commit.batch > 0 && !edited) {
    verdict.status = InternalError("StateLost: the ledger of sink \"" + ledgers.missing +
                                   "\" is missing, though batch " +
                                   std::to_string(facts.commit.batch) + " is committed");
    return verdict;
  }
  if (facts.suspect) {
    verdict.status =
        Compare(facts, "a worker", facts.suspect->batch, HexEncode(facts.suspect->digest));
    if (!verdict.status.ok()) return verdict;
  }
  for (const auto& [sink, delivered] : ledgers.sinks) {
    verdict.status = Compare(facts, "sink \"" + sink + "\"", delivered.batch, delivered.digest);
    if (!verdict.status.ok()) return verdict;
    if (delivered.batch > facts.commit.batch) verdict.skip[sink] = delivered;
  }
  return verdict;
}

bool HasBegun(const JobFacts& facts, const LedgerFacts& ledgers, int64_t batch) {
  if (facts.commit.delivering >= batch) return true;
  if (facts.suspect && facts.suspect->batch >= batch) return true;
  return std::any_of(ledgers.sinks.begin(), ledgers.sinks.end(),
                     [&](const auto& sink) { return sink.second.batch >= batch; });
}

}  // namespace millrace::worker
