#include "worker/coordination/cluster/model_job_store.h"

#include <algorithm>

namespace millrace::worker {
namespace {

StoreReply Refused(std::string detail) {
  return {StoreCode::kRefused, std::move(detail), nullptr, {}, {}};
}
StoreReply Code(StoreCode code, std::string detail = {}) {
  return {code, std::move(detail), nullptr, {}, {}};
}

}  // namespace

StoreReply ModelJobStore::Call(const StoreRequest& request) {
  return std::visit([this](const auto& r) { return Do(r); }, request);
}

StoreReply ModelJobStore::Guard(bool suspect_matters, const Lease* lease,
                                const std::string* generation, bool must_be_open) const {
  if (!exists_) return Code(StoreCode::kLost);
  if (!facts_.halt.empty()) return Code(StoreCode::kHalted, facts_.halt);
  if (lease != nullptr && !Skips(Check::kLease) && facts_.lease.lease != *lease)
    return Code(StoreCode::kStale);
  if (generation != nullptr && !Skips(Check::kCurrent) &&
      (!facts_.generation || facts_.generation->name != *generation)) {
    return Code(StoreCode::kNotCurrent);
  }
  if (generation != nullptr && !Skips(Check::kOpen) && facts_.generation &&
      facts_.generation->open != must_be_open) {
    return Refused("generation state");
  }
  if (suspect_matters && !Skips(Check::kSuspect) && facts_.suspect)
    return Code(StoreCode::kSuspect);
  return {};
}

// Somebody has seen a commit that is not in this store's history: the store went back.
void ModelJobStore::NoteKnown(const KnownCommit& known) {
  if (Skips(Check::kKnownCommit)) return;
  const CommitHead& commit = facts_.commit;
  const bool ahead =
      known.batch > commit.batch || (known.batch == commit.batch && known.digest != commit.digest);
  if (ahead && (!facts_.suspect || known.batch > facts_.suspect->batch)) facts_.suspect = known;
}

StoreReply ModelJobStore::Do(const InitJob& request) {
  if (exists_) return Refused("job exists");
  exists_ = true;
  facts_ = {};
  facts_.spec_gen = request.spec_gen;
  facts_.spec_hash = request.spec_hash;
  facts_.specs[request.spec_hash] = request.spec;
  return {};
}

StoreReply ModelJobStore::Do(const ReadJob&) {
  if (!exists_) return Code(StoreCode::kLost);
  StoreReply reply;
  reply.facts = std::make_shared<JobFacts>(facts_);
  return reply;
}

StoreReply ModelJobStore::Do(const AcquireLease& request) {
  if (StoreReply guard = Guard(false, nullptr, nullptr, false); !guard.ok()) return guard;
  LeaseRecord& lease = facts_.lease;
  const bool as_observed =
      lease.lease.token == request.observed_token && lease.beat == request.observed_beat;
  if (!lease.released && !as_observed && !Skips(Check::kObservedBeat))
    return Refused("lease moved");
  if (request.spec_gen < facts_.spec_gen) return Refused("older spec");
  lease = {{request.token, lease.lease.epoch + 1}, request.holder, request.address, 0, false};
  StoreReply reply;
  reply.lease = lease.lease;
  return reply;
}

StoreReply ModelJobStore::Do(const RenewLease& request) {
  if (StoreReply guard = Guard(false, &request.lease, nullptr, false); !guard.ok()) return guard;
  ++facts_.lease.beat;
  return {};
}

StoreReply ModelJobStore::Do(const ReleaseLease& request) {
  if (StoreReply guard = Guard(false, &request.lease, nullptr, false); !guard.ok()) return guard;
  facts_.lease.released = true;
  return {};
}

StoreReply ModelJobStore::Do(const BeatMember& request) {
  if (!exists_) return Code(StoreCode::kLost);
  NoteKnown(request.known);
  if (request.gone)
    facts_.members.erase(request.member);
  else
    facts_.members[request.member] = request.record;
  return {};
}

StoreReply ModelJobStore::Do(const HaltJob& request) {
  if (StoreReply guard = Guard(false, &request.lease, nullptr, false); !guard.ok()) return guard;
  facts_.halt = request.reason;
  return {};
}

StoreReply ModelJobStore::Do(const NewGeneration& request) {
  if (StoreReply guard = Guard(false, &request.lease, nullptr, false); !guard.ok()) return guard;
  if (request.observed.batch != facts_.commit.batch ||
      request.observed.generation != facts_.commit.generation)
    return Refused("commit moved");
  if (facts_.generation && request.generation.fence <= facts_.generation->fence &&
      !Skips(Check::kFence))
    return Refused("fence");
  if (request.generation.spec_hash != facts_.spec_hash) {
    if (request.spec_gen < facts_.spec_gen) return Refused("older spec");
    if (!facts_.plans.empty()) return Refused("plans of the older spec");
    facts_.spec_hash = request.generation.spec_hash;
    facts_.spec_gen = request.spec_gen;
    std::erase_if(facts_.specs,
                  [&](const auto& spec) { return spec.first != facts_.commit.spec_hash; });
    facts_.specs[facts_.spec_hash] = request.spec;
  }
  facts_.generation = request.generation;
  facts_.generation->open = false;
  facts_.slots = std::max<int64_t>(facts_.slots, request.generation.max_slots);
  facts_.ready.clear();
  const std::pair<std::string, int64_t> named{facts_.commit.generation, facts_.commit.batch};
  std::erase_if(prepared_, [&](const auto& entry) { return entry.first != named; });
  return {};
}

StoreReply ModelJobStore::Do(const MarkReady& request) {
  if (!exists_) return Code(StoreCode::kLost);
  NoteKnown(request.known);
  if (StoreReply guard = Guard(false, nullptr, &request.generation, false); !guard.ok())
    return guard;
  if (request.slot < 0 || request.slot >= facts_.generation->slots()) return Refused("slot");
  facts_.ready[request.slot] = true;
  return {};
}

StoreReply ModelJobStore::Do(const OpenGeneration& request) {
  if (StoreReply guard = Guard(false, &request.lease, &request.generation.name, false); !guard.ok())
    return guard;
  if (static_cast<int>(facts_.ready.size()) != facts_.generation->slots())
    return Refused("not all ready");
  if (facts_.suspect != request.suspect) return Refused("suspect moved");
  facts_.generation = request.generation;
  facts_.generation->open = true;
  facts_.suspect.reset();
  return {};
}

StoreReply ModelJobStore::Do(const AppendPlan& request) {
  if (StoreReply guard = Guard(true, &request.lease, &request.generation, true); !guard.ok())
    return guard;
  const int64_t last = facts_.plans.empty() ? facts_.commit.batch : facts_.plans.back().batch;
  const std::string& digest =
      facts_.plans.empty() ? facts_.commit.digest : facts_.plans.back().digest;
  if (request.plan.batch != last + 1) return Refused("plan does not follow");
  if (request.plan.batch > facts_.commit.batch + 2 && !Skips(Check::kPlanLimit))
    return Refused("too far ahead");
  if (request.previous_digest != digest && !Skips(Check::kPlanDigest)) return Refused("digest");
  if (request.plan.spec_hash != facts_.generation->spec_hash) return Refused("spec");
  facts_.plans.push_back(request.plan);
  return {};
}

StoreReply ModelJobStore::Do(const BeginDelivery& request) {
  if (StoreReply guard = Guard(true, &request.lease, &request.generation, true); !guard.ok())
    return guard;
  if (request.batch != facts_.commit.batch + 1) return Refused("commit does not precede");
  facts_.commit.delivering = request.batch;
  return {};
}

StoreReply ModelJobStore::Do(const AmendPlan& request) {
  if (StoreReply guard = Guard(false, &request.lease, &request.generation, false); !guard.ok())
    return guard;
  if (static_cast<int>(facts_.ready.size()) != facts_.generation->slots())
    return Refused("not all ready");
  if (request.plan.batch != facts_.commit.batch + 1) return Refused("not the next batch");
  if (facts_.commit.delivering >= request.plan.batch) return Refused("delivery has begun");
  facts_.plans.clear();
  if (!request.plan.bytes.empty()) facts_.plans.push_back(request.plan);
  return {};
}

StoreReply ModelJobStore::Do(const PutPrepared& request) {
  if (StoreReply guard = Guard(true, nullptr, &request.generation, true); !guard.ok()) return guard;
  if (request.batch != facts_.commit.batch + 1) return Refused("commit does not precede");
  if (request.slot < 0 || request.slot >= facts_.generation->slots()) return Refused("slot");
  prepared_[{request.generation, request.batch}][request.slot] = request.report;
  return {};
}

StoreReply ModelJobStore::Do(const CommitBatch& request) {
  if (StoreReply guard = Guard(true, &request.lease, &request.generation, true); !guard.ok())
    return guard;
  if (facts_.commit.batch != request.batch - 1) return Refused("commit does not precede");
  const auto plan = std::find_if(facts_.plans.begin(), facts_.plans.end(),
                                 [&](const PlanEntry& p) { return p.batch == request.batch; });
  if (plan == facts_.plans.end()) return Refused("no plan");
  if (plan->digest != request.digest && !Skips(Check::kPlanDigest)) return Refused("digest");
  const size_t reports = prepared_[{request.generation, request.batch}].size();
  if (static_cast<int>(reports) != facts_.generation->slots() && !Skips(Check::kReports))
    return Refused("reports missing");
  prepared_.erase({facts_.commit.generation, facts_.commit.batch});
  facts_.commit = {request.batch,
                   request.digest,
                   request.generation,
                   request.record,
                   static_cast<int64_t>(reports),
                   facts_.commit.delivering,
                   facts_.generation->spec_hash};
  facts_.plans.erase(plan);
  for (const auto& [field, value] : request.offsets) offsets_[field] = value;
  return {};
}

StoreReply ModelJobStore::Do(const ReadOffsets&) {
  if (!exists_) return Code(StoreCode::kLost);
  StoreReply reply;
  reply.fields = offsets_;
  return reply;
}

StoreReply ModelJobStore::Do(const ReadReports& request) {
  if (!exists_) return Code(StoreCode::kLost);
  if (facts_.commit.batch != request.batch || facts_.commit.generation != request.generation)
    return Refused("commit moved");
  StoreReply reply;
  const auto found = prepared_.find({request.generation, request.batch});
  if (found == prepared_.end()) return reply;
  for (const auto& [slot, report] : found->second) reply.fields[std::to_string(slot)] = report;
  return reply;
}

}  // namespace millrace::worker
