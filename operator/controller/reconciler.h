#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "operator/controller/event_recorder.h"
#include "operator/controller/executor.h"
#include "operator/controller/observer.h"
#include "operator/controller/progress_poller.h"

namespace millrace::controller {

// When to look at the job again, and how the pass went.
struct PassResult {
  Status status;
  Duration again{0};  // zero: when something changes
};

struct ReconcilerOptions {
  BuildOptions build;
  bool dry_run = false;  // plans and logs, writes nothing
  Duration resync = std::chrono::minutes(10);
};

// One pass over one job: facts, decision, writes, one status, events after it. Level-triggered: it
// is given a key and no event. Thread-safe for different keys; one key is in one pass at a time.
class Reconciler {
 public:
  Reconciler(const ClusterView* view, Client* client, PendingWrites* pending,
             ProgressPoller* progress, EventRecorder* events, const Clock* clock,
             ReconcilerOptions options);

  // Blocks on the API server.
  PassResult Pass(const std::string& key, std::stop_token stop);

 private:
  Status CarryOut(const Observed& observed, const Plan& plan, const std::stop_token& stop);
  void Tell(const Observed& observed, const Plan& plan, const std::stop_token& stop);
  void TellFailure(const Observed& observed, const Status& status, const std::stop_token& stop);

  const ClusterView* view_;
  PendingWrites* pending_;
  ProgressPoller* progress_;
  EventRecorder* events_;
  const Clock* clock_;
  const ReconcilerOptions options_;
  Observer observer_;
  Executor executor_;
};

}  // namespace millrace::controller
