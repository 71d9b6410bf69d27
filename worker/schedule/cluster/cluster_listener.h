#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/coordination/batch_plan.h"
#include "worker/coordination/redis/redis_state_log.h"

namespace millrace::worker {

// One worker's part of a batch; the job's numbers are in BatchInfo.
struct SlotBatch {
  int64_t batch = 0;
  int64_t input_records = 0;
  int64_t output_records = 0;
  Duration compute{0};  // tasks, with what they waited for from other workers
  Duration write{0};    // encoding of deltas and snapshots until Redis has them
  Duration output{0};   // sinks
  BlobCounts blobs;
};

// How far a worker is with taking a seat in a generation.
struct TakeOverProgress {
  enum class Step { kLoading, kFencing, kDone, kFailed };
  Step step = Step::kLoading;
  std::string generation;
  int64_t commit = 0;  // the state's batch
  int64_t units = 0;   // (stage, group) pairs with state
  int64_t bytes = 0;   // of their blobs, decoded
  Duration took{0};    // so far
  std::string error;   // kFailed
};

// What one worker of a job does, as it happens. Called from several threads, one call at a time per
// function; must not block.
class ClusterListener {
 public:
  virtual ~ClusterListener() = default;
  virtual void OnPlan(const BatchPlan& /*plan*/) {}
  // The worker's output of the batch is delivered.
  virtual void OnSlotBatch(const SlotBatch& /*batch*/) {}
  virtual void OnTakeOver(const TakeOverProgress& /*progress*/) {}
  virtual void OnSwept(int64_t /*blobs*/) {}
  // The worker does not lead, and has read how far the job is.
  virtual void OnFollow(int64_t /*committed_batch*/) {}
  // As leader: the store answered a commit; a term was won; a generation is open.
  virtual void OnCommitCall(Duration /*took*/) {}
  virtual void OnElected() {}
  virtual void OnGenerationOpen(const std::string& /*reason*/, Duration /*took*/) {}
};

// Passes every event on to several listeners, in order; they outlive it. Add comes first.
class ClusterListeners final : public ClusterListener {
 public:
  void Add(ClusterListener* listener) { listeners_.push_back(listener); }
  void OnPlan(const BatchPlan& plan) override {
    for (ClusterListener* listener : listeners_) listener->OnPlan(plan);
  }
  void OnSlotBatch(const SlotBatch& batch) override {
    for (ClusterListener* listener : listeners_) listener->OnSlotBatch(batch);
  }
  void OnTakeOver(const TakeOverProgress& progress) override {
    for (ClusterListener* listener : listeners_) listener->OnTakeOver(progress);
  }
  void OnSwept(int64_t blobs) override {
    for (ClusterListener* listener : listeners_) listener->OnSwept(blobs);
  }
  void OnFollow(int64_t committed_batch) override {
    for (ClusterListener* listener : listeners_) listener->OnFollow(committed_batch);
  }
  void OnCommitCall(Duration took) override {
    for (ClusterListener* listener : listeners_) listener->OnCommitCall(took);
  }
  void OnElected() override {
    for (ClusterListener* listener : listeners_) listener->OnElected();
  }
  void OnGenerationOpen(const std::string& reason, Duration took) override {
    for (ClusterListener* listener : listeners_) listener->OnGenerationOpen(reason, took);
  }

 private:
  std::vector<ClusterListener*> listeners_;
};

}  // namespace millrace::worker
