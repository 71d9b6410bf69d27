#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "operator/controller/cluster_view.h"
#include "operator/controller/worker_progress.h"
#include "operator/queue/work_queue.h"

namespace millrace::controller {

// The body of GET http://address:port/status.
using FetchStatus = std::function<Result<std::string>(const std::string& address, int64_t port)>;

struct ProgressPollerOptions {
  Duration interval = std::chrono::seconds(10);
  int threads = 4;
  // Of one job in one round: with more, the leader is found in a later one.
  size_t max_asked = 16;
};

// Asks the workers of each job how far it is, round after round, and says when the answer matters.
// Workers are asked until the leader answers, the one that led last first. Jobs are asked at the
// same time by some threads, so that hanging workers of one job delay others little. Thread-safe.
class ProgressPoller {
 public:
  using OnNews = std::function<void(const std::string& job)>;

  ProgressPoller(const ClusterView* view, const Clock* clock, FetchStatus fetch, OnNews on_news,
                 ProgressPollerOptions options = {});
  ~ProgressPoller();
  ProgressPoller(const ProgressPoller&) = delete;
  ProgressPoller& operator=(const ProgressPoller&) = delete;

  void Start();
  void Stop();
  // Begins to ask about a job, on `port` of its workers; again with another port.
  void Follow(const std::string& job, int64_t port);
  void Forget(const std::string& job);
  // What is known of the job.
  ProgressTracker Of(const std::string& job) const;

 private:
  struct Followed {
    int64_t port = 0;
    std::string leader;  // address of the last one
    ProgressTracker tracker;
  };
  void Run(const std::stop_token& stop);
  void Ask(const std::string& job);
  struct Worker {
    std::string address;
    std::string revision;
  };
  std::vector<Worker> Workers(const std::string& job, const std::string& first,
                              int64_t* unschedulable) const;

  const ClusterView* view_;
  const Clock* clock_;
  const FetchStatus fetch_;
  const OnNews on_news_;
  const ProgressPollerOptions options_;
  WorkQueue rounds_;
  mutable std::mutex mutex_;
  std::map<std::string, Followed> followed_;  // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace millrace::controller
