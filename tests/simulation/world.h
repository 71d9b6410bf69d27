#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/simulation/sim_sink.h"
#include "tests/simulation/toy_job.h"
#include "worker/coordination/cluster/lease_core.h"
#include "worker/coordination/cluster/model_job_store.h"
#include "worker/coordination/cluster/spec_edit.h"

namespace millrace::simulation {

// Fences outside the store's scripts that a run may leave out.
enum class Fence { kNone, kSinkInit, kSkip };

struct WorldOptions {
  uint64_t seed = 1;
  worker::ModelJobStore::Check left_out = worker::ModelJobStore::Check::kNone;
  Fence fence_left_out = Fence::kNone;
  bool rollback = false;  // the store goes back in time, once
  bool wipe = false;      // the store loses everything, once
  bool edits = false;     // the job is edited again and again, and its workers replaced
  bool counted = false;   // with edits: job files carry their generation
  bool poison = false;    // some records make their batch fail, and are to be left out of it
  int nodes = 3;
  bool trace = false;
  bool trace_messages = false;
};

class Node;

// One simulated cluster: clock, network, store, sink and workers, all driven by one seed.
// Everything that goes wrong in it is drawn from the seed, so a failing run can be repeated.
// Single-threaded.
class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  // Runs faults, then a quiet time. Returns what was violated; empty when nothing was.
  std::string Run();

  // ---- for nodes ----
  MonotonicTime now() const { return now_; }
  std::mt19937_64& random() { return random_; }
  Duration Between(int64_t low_micros, int64_t high_micros);
  bool Chance(double probability) {
    return std::uniform_real_distribution<>(0, 1)(random_) < probability;
  }
  // Runs `event` later; events of a node that is paused wait, those of a node that ended are
  // dropped.
  void After(Duration delay, Node* node, std::function<void()> event);
  void Send(Node* from, const std::string& address, std::function<void(Node*)> deliver);
  void CallStore(Node* node, const worker::StoreRequest& request,
                 std::function<void(const worker::StoreReply&)> reply);
  bool StoreReachable(const Node* node) const;
  bool SinkReachable(const Node* node) const;
  void Violation(std::string text);
  void Trace(const std::string& text) const;
  void OnHalt(const Status& status);
  SimSink& sink() { return sink_; }
  const WorldOptions& options() const { return options_; }
  // Blobs: name -> (previous name, counts of one group).
  struct Blob {
    std::string previous;
    int64_t batch = 0;
    Counts counts;
  };
  std::map<std::string, Blob>& blobs() { return blobs_; }
  // What the state of a group must be after the committed batch.
  void CheckRecovered(int64_t batch, int group, const Counts& state);
  const worker::ModelJobStore& store() const { return store_; }
  int64_t committed() const { return static_cast<int64_t>(digests_.size()); }
  const std::string& halted() const { return halted_; }
  bool disturbed() const { return disturbed_; }
  bool faults() const { return faults_; }
  int64_t changes() const { return changes_; }
  int64_t left_out() const { return left_out_; }

 private:
  struct Event {
    MonotonicTime time;
    uint64_t order = 0;
    uint64_t node = 0;  // 0: of the world
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return std::tie(other.time, other.order) < std::tie(time, order);
    }
  };

  void StartNode();
  void EndNode(uint64_t id);
  Node* Pick();
  void ScheduleFault();
  void InjectFault();
  void Heal();
  void Step(Event event);
  worker::StoreReply Apply(const worker::StoreRequest& request);
  void CheckCommit(const worker::CommitBatch& commit, const worker::BatchPlan& plan);
  void GoBack();
  void KeepReplicas();
  worker::OwnSpec Spec() const;
  void ScheduleEdit();
  void ReplaceOne();
  void CheckEnd(int64_t committed);

  WorldOptions options_;
  std::mt19937_64 random_;
  MonotonicTime now_;
  std::priority_queue<Event> events_;
  uint64_t order_ = 0;
  worker::ModelJobStore store_;
  std::map<std::string, Blob> blobs_;
  std::optional<std::pair<worker::ModelJobStore, std::map<std::string, Blob>>> copy_;
  SimSink sink_;
  std::map<uint64_t, std::unique_ptr<Node>> nodes_;
  uint64_t last_node_ = 0;
  int replicas_ = 3;
  bool faults_ = true;
  MonotonicTime store_down_until_;
  double loss_ = 0;
  bool slow_ = false;
  Oracle oracle_;
  std::vector<std::string> digests_;  // D(b) of committed batches, b = 1...
  std::vector<Rows> rows_;            // what the oracle says of them
  std::vector<GroupCounts> states_;
  std::vector<std::map<int, int64_t>> ends_;  // where each partition stood
  std::string halted_;
  int64_t spec_ = 1;        // number of the newest job file
  int64_t changes_ = 0;     // generations of another spec than the one before
  int64_t left_out_ = 0;    // poison records of committed batches
  bool disturbed_ = false;  // the store went back or was lost: halting is a right answer
  std::string violation_;
};

}  // namespace millrace::simulation
