#include "operator/reconcile/rollout.h"

#include <algorithm>

namespace millrace::controller {
namespace {

void BringIn(const std::string& revision, int64_t generation, RolloutRecord* record) {
  record->revision = revision;
  record->number = std::max(generation, record->number + 1);
  record->since.reset();
  std::erase(record->history, revision);
  record->history.push_back(revision);
  if (record->history.size() > RolloutRecord::kMaxHistory)
    record->history.erase(record->history.begin());
}

}  // namespace

RolloutRecord Advance(RolloutRecord record, const RolloutFacts& facts, TimePoint now) {
  if (!facts.committed.empty() && facts.committed == record.revision) {
    record.good = record.revision;
    record.since.reset();
  }
  const bool may_return =
      facts.deadline && facts.may_return && !record.good.empty() && record.good != facts.asked;
  if (record.refused != facts.asked || !may_return) record.refused.clear();
  const bool late =
      facts.runs && facts.deadline && record.since && now >= *record.since + *facts.deadline;
  if (may_return && record.revision == facts.asked && (facts.failed || late))
    record.refused = facts.asked;
  const std::string& wanted = record.refused.empty() ? facts.asked : record.good;
  if (record.revision != wanted) BringIn(wanted, facts.generation, &record);
  if (!facts.runs || record.revision == record.good) {
    record.since.reset();
  } else if (!record.since) {
    record.since = now;
  }
  return record;
}

std::string RefusedText(const RolloutRecord& record) {
  return "revision " + record.refused + " committed no batch in time; revision " + record.good +
         " runs again; edit the spec";
}

}  // namespace millrace::controller
