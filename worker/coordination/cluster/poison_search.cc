#include "worker/coordination/cluster/poison_search.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {

PoisonSearch::PoisonSearch(BatchPlan plan, Status failure)
    : plan_(std::move(plan)), failure_(std::move(failure)) {
  for (size_t i = 0; i < plan_.sources.size(); ++i) {
    for (const PlannedRange& range : plan_.sources[i].ranges)
      ranges_.push_back({static_cast<int>(i), range.partition, 0});
  }
}

void PoisonSearch::OnCounts(const std::vector<RangeRecords>& counts) {
  for (RangeRecords& range : ranges_) {
    for (const RangeRecords& count : counts) {
      if (count.source == range.source && count.partition == range.partition)
        range.records = count.records;
    }
    total_ += range.records;
  }
  state_ = total_ > 0 ? State::kWhole : State::kFailed;
}

// How many records the next run reads.
int64_t PoisonSearch::Prefix() const {
  switch (state_) {
    case State::kCounting:
    case State::kEmpty:
      return 0;
    case State::kHalving:
      return good_ + (bad_ - good_) / 2;
    case State::kWhole:
    case State::kFound:
    case State::kFailed:
      return total_;
  }
  return total_;
}

std::vector<RangeRecords> PoisonSearch::Limits() const {
  std::vector<RangeRecords> limits = ranges_;
  int64_t left = Prefix();
  for (RangeRecords& limit : limits) {
    limit.records = std::min(limit.records, left);
    left -= limit.records;
  }
  return limits;
}

void PoisonSearch::OnOutcome(const Status& outcome) {
  if (!outcome.ok()) failure_ = outcome;
  switch (state_) {
    case State::kWhole:
      if (outcome.ok()) {
        // Nothing was found where the output was refused: it would be refused again.
        state_ = plan_.exclusions.empty() ? State::kFailed : State::kFound;
      } else if (plan_.exclusions.size() >= kMaxExclusions) {
        failure_ = outcome.WithContext("more than " + std::to_string(kMaxExclusions) +
                                       " poison records; the last");
        state_ = State::kFailed;
      } else {
        good_ = 0;
        bad_ = total_;
        state_ = State::kEmpty;
      }
      return;
    case State::kEmpty:
      state_ = outcome.ok() ? State::kHalving : State::kFailed;
      if (outcome.ok()) Narrow();
      return;
    case State::kHalving:
      (outcome.ok() ? good_ : bad_) = Prefix();
      Narrow();
      return;
    case State::kCounting:
    case State::kFound:
    case State::kFailed:
      return;
  }
}

void PoisonSearch::Narrow() {
  if (bad_ - good_ <= 1) Exclude();
}

void PoisonSearch::Exclude() {
  int64_t index = bad_ - 1;
  for (const RangeRecords& range : ranges_) {
    if (index < range.records) {
      plan_.exclusions.push_back(
          {plan_.sources[range.source].name, range.partition, index, failure_.message()});
      break;
    }
    index -= range.records;
  }
  state_ = State::kWhole;
}

}  // namespace millrace::worker
