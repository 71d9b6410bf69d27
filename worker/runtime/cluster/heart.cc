#include "worker/runtime/cluster/heart.h"

#include <chrono>
#include <utility>

#include "crds/base/text.h"

namespace millrace::worker {

Heart::Heart(LeaseCore::Config config, Seat self, std::unique_ptr<JobStore> store, Clock* clock,
             Events events)
    : store_(std::move(store)),
      clock_(clock),
      events_(std::move(events)),
      core_(std::move(config), std::move(self), [] { return RandomHex(16); }),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Heart::~Heart() {
  thread_.request_stop();
  thread_.join();
  if (!leaving_) return;
  core_.SayGone();
  Beat();
}

void Heart::Know(const KnownCommit& commit) {
  const std::lock_guard lock(mutex_);
  core_.Know(commit);
}

void Heart::OnLeaseFreed() {
  {
    const std::lock_guard lock(mutex_);
    core_.OnLeaseFreed(clock_->Monotonic());
    poked_ = true;
  }
  wake_.notify_one();
}

void Heart::OnLeadershipEnded() {
  const std::lock_guard lock(mutex_);
  core_.OnLeadershipEnded();
}

void Heart::Leave() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    core_.Leave(clock_->Monotonic());
    poked_ = true;
  }
  wake_.notify_one();
}

void Heart::Do(Action action) {
  if (auto* call = std::get_if<CallStore>(&action)) {
    const StoreReply reply = store_->Call(call->request);
    const std::lock_guard lock(mutex_);
    call->done(reply, clock_->Monotonic());
  } else if (const auto* won = std::get_if<LeadershipWon>(&action)) {
    events_.won(won->lease);
  } else if (std::holds_alternative<LeadershipLost>(action)) {
    events_.lost();
  }
}

// Carries out all that the core wants now.
void Heart::Beat() {
  while (true) {
    std::vector<Action> actions;
    {
      const std::lock_guard lock(mutex_);
      actions = core_.TakeActions();
    }
    if (actions.empty()) return;
    for (Action& action : actions) Do(std::move(action));
  }
}

void Heart::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::shared_ptr<const JobFacts> facts;
    {
      std::unique_lock lock(mutex_);
      core_.OnTimer(clock_->Monotonic());
      poked_ = false;
    }
    Beat();
    std::unique_lock lock(mutex_);
    facts = core_.facts();
    if (core_.job_lost()) events_.vanished();
    if (facts != nullptr && facts != std::exchange(told_, facts)) events_.facts(facts);
    const Duration wait = core_.next_timer() - clock_->Monotonic();
    if (wait > Duration::zero()) wake_.wait_for(lock, stop, wait, [this] { return poked_; });
  }
}

}  // namespace millrace::worker
