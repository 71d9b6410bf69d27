#include "tests/simulation/sim_sink.h"

#include <algorithm>

#include "crds/base/text.h"
#include "tests/simulation/toy_job.h"

namespace millrace::simulation {

int64_t SimSink::Init(int slot, int64_t fence) {
  fence_ = std::max(fence_, fence);
  return handles_[slot] = ++last_handle_;
}

bool SimSink::Holds(int slot, int64_t handle) const {
  const auto held = handles_.find(slot);
  return held != handles_.end() && held->second == handle;
}

bool SimSink::Commit(int slot, int64_t handle, const Record& record,
                     const std::map<int, std::string>& rows, std::string* error) {
  if (fencing_ && !Holds(slot, handle)) return false;
  for (const auto& [group, text] : rows) {
    const auto [place, inserted] =
        rows_[record.batch].try_emplace(group, Written{text, record.digest});
    if (!inserted)
      *error = "I3: batch " + std::to_string(record.batch) + " group " + std::to_string(group) +
               " delivered twice";
    else if (rows_[record.batch].begin()->second.digest != record.digest)
      *error = "I8: batch " + std::to_string(record.batch) + " has output of two histories";
  }
  ledger_[slot] = record;
  return true;
}

worker::LedgerFacts SimSink::Ledger(bool with_fence) const {
  worker::LedgerFacts facts;
  worker::Delivered& delivered = facts.sinks["out"];
  for (const auto& [slot, record] : ledger_) {
    if (record.batch < delivered.batch) continue;
    if (record.batch > delivered.batch) delivered = {record.batch, HexEncode(record.digest), {}};
    for (const int group : record.groups) delivered.tasks.push_back({kStage, group});
  }
  if (with_fence) facts.fence = fence_;
  return facts;
}

}  // namespace millrace::simulation
