// The leader's part in bisecting a batch that fails again and again (protocol section 6).
#include <utility>

#include "worker/coordination/batch_plan.h"
#include "worker/coordination/cluster/leader_core.h"

namespace millrace::worker {

// A batch behind one that has not committed yet is bisected when it is the next one.
bool LeaderCore::MayBisect(int64_t batch, const Status& failure) {
  const Flight* flight = Find(batch);
  if (!config_.bisect || failure.code() != StatusCode::kInvalid || flight == nullptr) return false;
  const Result<BatchPlan> plan = DecodePlan(flight->plan.bytes);
  if (!plan.ok() || !plan->exclusions.empty()) return false;
  poison_ = batch;
  poison_failure_ = failure;
  return true;
}

// Whether the generation that is ready is to probe. Forgets a search that came to nothing.
bool LeaderCore::Searches() {
  const bool next = poison_ == facts_.commit.batch + 1 && !facts_.plans.empty() &&
                    facts_.plans.front().spec_hash == config_.spec.hash;
  if (poison_ > facts_.commit.batch + 1) return false;
  if (!next || (search_ && facts_.plans.front().digest != searched_)) {
    search_.reset();
    poison_ = 0;
    return false;
  }
  return !search_ || search_->running();
}

void LeaderCore::Probe(MonotonicTime now) {
  if (!search_) {
    Result<BatchPlan> plan = DecodePlan(facts_.plans.front().bytes);
    if (!plan.ok()) return HaltWith(plan.status(), now);
    search_.emplace(*std::move(plan), poison_failure_);
    searched_ = facts_.plans.front().digest;
  }
  state_ = State::kProbing;
  probed_.clear();
  next_resend_ = now + config_.resend;
  SendAll(ProbeToRun());
}

ProbeBatch LeaderCore::ProbeToRun() const {
  ProbeBatch probe{generation_.name, facts_.plans.front(), false, {}};
  probe.plan.bytes = EncodePlan(search_->plan());
  probe.count = search_->state() == PoisonSearch::State::kCounting;
  if (!probe.count) probe.limits = search_->Limits();
  return probe;
}

void LeaderCore::Handle(const BatchProbed& body, MonotonicTime now) {
  if (state_ != State::kProbing || body.generation != generation_.name) return;
  probed_[body.slot] = body.counts;
  if (static_cast<int>(probed_.size()) < generation_.slots()) return;
  if (search_->state() != PoisonSearch::State::kCounting) {
    search_->OnOutcome(OkStatus());
    return GoOnSearching(now);
  }
  std::vector<RangeRecords> counts;
  for (const auto& [slot, of_slot] : probed_)
    counts.insert(counts.end(), of_slot.begin(), of_slot.end());
  search_->OnCounts(counts);
  GoOnSearching(now);
}

// What the records do not cause says nothing about them: the same probe is run again.
void LeaderCore::OnProbeFailed(const Status& status, MonotonicTime now) {
  const bool counting = search_->state() == PoisonSearch::State::kCounting;
  if (status.retryable() || status.code() == StatusCode::kAborted)
    return Restart("probing batch " + std::to_string(poison_) + ": " + status.message(), now);
  if (status.code() != StatusCode::kInvalid || counting)
    return HaltWith(status.WithContext("probing batch " + std::to_string(poison_)), now);
  search_->OnOutcome(status);
  GoOnSearching(now);
}

void LeaderCore::GoOnSearching(MonotonicTime now) {
  const std::string batch = "batch " + std::to_string(poison_);
  if (search_->state() == PoisonSearch::State::kFailed) {
    const Status failure = search_->failure();
    return HaltWith(
        failure.WithContext(batch + ": failed " + std::to_string(attempts_[poison_]) + " times"),
        now);
  }
  Restart("looking for what makes " + batch + " fail", now);
}

// Requires: the generation is fenced, so that what no ledger names is seen by nobody.
void LeaderCore::LeavePoisonOut(const LedgerFacts& ledgers, MonotonicTime now) {
  const bool same = !facts_.plans.empty() && facts_.plans.front().digest == searched_;
  if (!same || facts_.commit.batch + 1 != poison_) {
    search_.reset();
    poison_ = 0;
    return Restart("the job's plans changed", now);
  }
  const std::string batch = "batch " + std::to_string(poison_);
  if (HasBegun(facts_, ledgers, poison_)) {
    return HaltWith(
        search_->failure().WithContext(batch + ": some of its output is written, so that no "
                                               "record can be left out of it any more"),
        now);
  }
  AmendPlan request{lease_, generation_.name, facts_.plans.front()};
  request.plan.bytes = EncodePlan(search_->plan());
  request.plan.digest = PlanDigest(facts_.commit.digest, request.plan.bytes);
  const std::string reason = batch + " goes on without " +
                             std::to_string(search_->plan().exclusions.size()) +
                             " poison records: " + search_->failure().message();
  Call(std::move(request), [this, reason](const StoreReply& reply, MonotonicTime at) {
    const auto again = [this](MonotonicTime later) { Restart(reason_, later); };
    if (Failed("leave poison records out", reply, again, at)) return;
    attempts_.erase(attempts_.lower_bound(poison_), attempts_.end());
    search_.reset();
    poison_ = 0;
    Restart(reason, at);
  });
}

}  // namespace millrace::worker
