#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "worker/schedule/cluster/cluster_listener.h"

namespace millrace::worker {

// What is read when metrics are asked for, because others count it.
struct WorkerSample {
  bool leading = false;
  int64_t epoch = 0;
  int slots = 0;
  int key_groups = 0;
  struct Redis {
    int64_t round_trips = 0;
    int64_t sent_bytes = 0;
  };
  std::map<std::string, Redis> redis;  // by purpose
  struct Exchange {
    int64_t sent_bytes = 0;
    int64_t received_bytes = 0;
    int64_t credit_waits = 0;
    Duration credit_wait{0};
    int64_t reconnects = 0;
    int64_t broken_streams = 0;
    int64_t dropped_frames = 0;
    int64_t refused_connections = 0;
  } exchange;
};

// The metrics that only one of several workers has, in Prometheus' text format, to be served behind
// those of JobMetrics. All label sets exist from the start with 0. Thread-safe.
class WorkerMetrics final : public ClusterListener {
 public:
  // What connections to Redis are for; label values.
  static constexpr const char* kPurposes[] = {"record", "state", "heartbeat", "tables", "query"};

  WorkerMetrics(const std::string& ns, const std::string& job);
  ~WorkerMetrics() override;

  void OnSlotBatch(const SlotBatch& batch) override;
  void OnTakeOver(const TakeOverProgress& progress) override;
  void OnSwept(int64_t blobs) override;
  void OnCommitCall(Duration took) override;
  void OnElected() override;
  void OnGenerationOpen(const std::string& reason, Duration took) override;

  // Counts of `sample` never fall from call to call.
  std::string Text(const WorkerSample& sample);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::worker
