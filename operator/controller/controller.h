#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "operator/controller/queue_times.h"
#include "operator/controller/reconciler.h"
#include "operator/queue/work_queue.h"

namespace millrace::controller {

enum class PassOutcome { kSuccess, kRequeueAfter, kError };

// Hears what the controller does, on its threads. For metrics.
class ControllerListener {
 public:
  virtual ~ControllerListener() = default;
  virtual void OnAdd() = 0;
  virtual void OnRetry() = 0;
  virtual void OnTake(Duration waited) = 0;
  virtual void OnPass(PassOutcome outcome, Duration took) = 0;
};

struct ControllerOptions {
  ClusterViewOptions view;
  ReconcilerOptions reconciler;
  ProgressPollerOptions progress;
  int workers = 4;       // passes at the same time, over different jobs
  std::string instance;  // of this process, in events
};

// What the metrics and probes ask for.
struct ControllerState {
  bool synced = false;
  bool alive = true;
  size_t waiting = 0;
  QueueTimes::Unfinished unfinished;
};

// Mirrors the cluster from Start on and reconciles its jobs while it leads. Thread-safe. All it is
// given must outlive it.
class Controller {
 public:
  // A pass over one job that takes longer hangs.
  static constexpr Duration kLongestPass = std::chrono::minutes(5);

  Controller(Client* client, Clock* clock, FetchStatus fetch, ControllerListener* listener,
             ControllerOptions options);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Fills the caches, also while another replica leads.
  void Start();
  // Waits for the caches, then reconciles until `stop` is requested; returns when the last pass has
  // ended, so that the lease can be released.
  void Lead(std::stop_token stop);
  ControllerState state() const;

 private:
  void Enqueue(const std::string& key);
  void Work(const std::stop_token& stop);
  void Finish(const std::string& key, const PassResult& result, Duration took);

  Clock* clock_;
  ControllerListener* listener_;
  const ControllerOptions options_;
  WorkQueue queue_;
  QueueTimes times_;
  PendingWrites pending_;
  EventRecorder events_;
  ClusterView view_;
  ProgressPoller progress_;
  Reconciler reconciler_;
};

}  // namespace millrace::controller
