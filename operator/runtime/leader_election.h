#pragma once

#include <atomic>
#include <optional>
#include <random>
#include <stop_token>
#include <string>

#include "operator/kube/client.h"
#include "operator/runtime/lease.h"

namespace millrace::controller {

struct LeaderElectionOptions {
  std::string ns;
  std::string name = "millrace-operator";
  std::string identity;  // of this process, unlike any other's
  Duration lease = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry = std::chrono::seconds(2);
};

// Leads while it holds a Lease. `leading()` turns false by the clock alone when the lease could not
// be renewed for renew_deadline, so a process that was frozen does not write on when it wakes; the
// rest, lease minus deadline, is left for calls under way. Liveness only: what is written is
// guarded by versions and uids. Acquire, Hold and Release on one thread, leading() on any. Client
// and clock must outlive it. Requires: lease > renew_deadline > retry.
class LeaderElection {
 public:
  LeaderElection(Client* client, Clock* clock, LeaderElectionOptions options);

  // Blocks until this process leads; false once `stop` is requested.
  bool Acquire(std::stop_token stop);
  // Renews until the lease is lost (false) or `stop` is requested (true).
  bool Hold(std::stop_token stop);
  // Gives the lease back, so that another takes over at once. Requires: all work has ended.
  void Release();
  bool leading() const;

 private:
  // One look and, where it is due, one write.
  Status Try(const std::stop_token& stop);
  Status Read(const std::stop_token& stop);
  Status Write(LeaseRecord next, const std::stop_token& stop);
  std::string Path() const;
  void Sleep(const std::stop_token& stop);

  Client* client_;
  Clock* clock_;
  const LeaderElectionOptions options_;
  std::mt19937_64 random_;
  LeaseRecord seen_;
  MonotonicTime seen_at_;                 // when `seen_` was first seen
  std::atomic<int64_t> leads_until_ = 0;  // microseconds of the monotonic clock; 0: does not
};

}  // namespace millrace::controller
