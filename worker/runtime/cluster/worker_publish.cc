// What a worker says about itself: status, and lines in the log for each generation.
#include <algorithm>
#include <utility>

#include "crds/base/log.h"
#include "worker/runtime/cluster/worker_process.h"

namespace millrace::worker {
namespace {

constexpr Duration kMembersShown = std::chrono::milliseconds(250);

const char* NameOf(MemberCore::State state) {
  switch (state) {
    case MemberCore::State::kIdle:
      return "idle";
    case MemberCore::State::kTakingOver:
      return "taking over";
    case MemberCore::State::kReady:
      return "ready";
    case MemberCore::State::kOpen:
      return "open";
  }
  return "";
}

const char* NameOf(LeaderCore::State state) {
  switch (state) {
    case LeaderCore::State::kReading:
      return "reading";
    case LeaderCore::State::kGathering:
      return "gathering";
    case LeaderCore::State::kFencing:
      return "fencing";
    case LeaderCore::State::kOpening:
      return "opening";
    case LeaderCore::State::kProbing:
      return "probing";
    case LeaderCore::State::kRunning:
      return "running";
    case LeaderCore::State::kEnded:
      return "ended";
  }
  return "";
}

}  // namespace

WorkerStatus WorkerProcess::status() const {
  const std::lock_guard lock(status_mutex_);
  return status_;
}

void WorkerProcess::Publish() {
  WorkerStatus status = status_;
  status.member = self_.member;
  status.leading = leader_ != nullptr;
  if (status.generation->name != member_.generation().name)
    status.generation = std::make_shared<const Generation>(member_.generation());
  status.slot = member_.slot();
  status.state = NameOf(member_.state());
  status.phase = leader_ ? NameOf(leader_->state()) : "";
  status.reason = leader_ ? leader_->reason() : "";
  status.committed = member_.known().batch;
  PublishMembers(&status);
  if (status.reason != status_.reason) NoteReason(status_.reason);
  const std::lock_guard lock(status_mutex_);
  status_ = std::move(status);
}

void WorkerProcess::PublishMembers(WorkerStatus* status) {
  status->waiting_for.clear();
  if (leader_ && leader_->state() == LeaderCore::State::kFencing) {
    for (int slot = 0; slot < leader_->generation().slots(); ++slot) {
      if (!leader_->ready().contains(slot)) status->waiting_for.push_back(slot);
    }
  }
  const MonotonicTime now = parts_->clock->Monotonic();
  if (now < next_members_ && status->leading == status_.leading) return;
  next_members_ = now + kMembersShown;
  if (leader_) {
    status->epoch = epoch_;
    status->leader = self_.member;
    status->leader_address = self_.address;
    status->members = leader_->members();
  } else if (facts_ != nullptr) {
    status->epoch = lease_.lease.epoch;
    status->leader = lease_.released ? "" : lease_.holder;
    status->leader_address = lease_.released ? "" : lease_.address;
    status->members = facts_->members;
  }
}

// Tells of each generation that this leader makes: why, how large, how long nothing was committed.
void WorkerProcess::NoteReason(const std::string& before) {
  const MonotonicTime now = parts_->clock->Monotonic();
  if (!leader_) return;
  if (before.empty()) recovering_since_ = now;
  if (!leader_->reason().empty()) {
    recovery_reason_ = leader_->reason();
    return Log(LogLevel::kInfo, "new generation", {{"reason", leader_->reason()}});
  }
  cluster_listener_->OnGenerationOpen(recovery_reason_, now - recovering_since_);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - recovering_since_);
  const Generation& generation = leader_->generation();
  Log(LogLevel::kInfo, "generation open",
      {{"generation", generation.name},
       {"slots", std::to_string(generation.slots())},
       {"commit", std::to_string(leader_->commit().batch)},
       {"millis", std::to_string(took.count())}});
}

}  // namespace millrace::worker
