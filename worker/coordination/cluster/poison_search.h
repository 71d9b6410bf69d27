#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/coordination/batch_plan.h"

namespace millrace::worker {

// Records of one planned range: how many it has, or how many of its first ones to read.
struct RangeRecords {
  int source = 0;  // index in the plan's sources
  int partition = 0;
  int64_t records = 0;
  bool operator==(const RangeRecords&) const = default;
};

// Which records make a batch fail: runs ever smaller prefixes of it, O(log n) runs a record.
//
//   kCounting -> kWhole     how many records each range has is known
//   kWhole    -> kFound     the batch succeeds without what is excluded
//   kWhole    -> kEmpty     it fails: does it fail without any record, too?
//   kEmpty    -> kHalving   no
//   kHalving  -> kWhole     the first record that makes its prefix fail is excluded
//   any       -> kFailed    no record is to blame, or too many are
//
// Says what to run next and is told the outcome; it runs nothing itself. Deterministic. Value type.
class PoisonSearch {
 public:
  static constexpr size_t kMaxExclusions = 100;
  enum class State { kCounting, kWhole, kEmpty, kHalving, kFound, kFailed };

  // `plan` failed with `failure`. Requires: it has no exclusions.
  PoisonSearch(BatchPlan plan, Status failure);

  State state() const { return state_; }
  bool running() const { return state_ != State::kFound && state_ != State::kFailed; }
  // The plan with what was excluded so far.
  const BatchPlan& plan() const { return plan_; }
  // Why the batch cannot be mended, once kFailed.
  const Status& failure() const { return failure_; }

  // How much of each range the next run reads. Requires: running, counts are known.
  std::vector<RangeRecords> Limits() const;
  // The ranges' records, in any order. Requires: kCounting.
  void OnCounts(const std::vector<RangeRecords>& counts);
  // How the run with Limits() ended. Requires: running, counts are known.
  void OnOutcome(const Status& outcome);

 private:
  int64_t Prefix() const;
  void Narrow();
  void Exclude();

  BatchPlan plan_;
  Status failure_;
  State state_ = State::kCounting;
  std::vector<RangeRecords> ranges_;  // in the plan's order
  int64_t total_ = 0;
  int64_t good_ = 0;  // so many records succeed,
  int64_t bad_ = 0;   // and so many fail
};

}  // namespace millrace::worker
