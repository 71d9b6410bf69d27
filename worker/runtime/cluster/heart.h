#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "crds/base/clock.h"
#include "worker/coordination/cluster/lease_core.h"

namespace millrace::worker {

// Runs a LeaseCore on a thread and a store connection of its own, so that no batch delays a
// heartbeat. Thread-safe.
class Heart {
 public:
  // Called from the heart's thread; must not block.
  struct Events {
    std::function<void(const Lease&)> won;
    std::function<void()> lost;
    std::function<void(std::shared_ptr<const JobFacts>)> facts;  // each time they were read
    std::function<void()> vanished;  // the store has no such job any more
  };
  Heart(LeaseCore::Config config, Seat self, std::unique_ptr<JobStore> store, Clock* clock,
        Events events);
  // Says that the member is gone, if Leave was called.
  ~Heart();

  void Know(const KnownCommit& commit);
  void OnLeaseFreed();
  void OnLeadershipEnded();
  void Leave();

 private:
  void Run(const std::stop_token& stop);
  void Beat();
  void Do(Action action);

  std::unique_ptr<JobStore> store_;
  Clock* clock_;
  Events events_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  LeaseCore core_;                        // guarded by mutex_
  std::shared_ptr<const JobFacts> told_;  // heart's thread only
  bool poked_ = false;                    // guarded by mutex_
  bool leaving_ = false;                  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace millrace::worker
