#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

// A job on a store under test, brought to where a step begins: led by one leader, with one
// generation of two slots, at commit 0 with nothing planned. For tests; thread-compatible. Owns the
// store.
class Scene {
 public:
  explicit Scene(std::unique_ptr<JobStore> store) : store_(std::move(store)) {}

  StoreCode Call(const StoreRequest& request) {
    last_ = store_->Call(request);
    return last_.code;
  }
  const StoreReply& last() const { return last_; }
  JobFacts Facts() {
    Call(ReadJob{});
    return last_.facts ? *last_.facts : JobFacts{};
  }

  void Lead() {
    Call(InitJob{3, "spec", "record"});
    Call(AcquireLease{"", 0, "token", "a", "a:1", 3});
    lease = last_.lease;
  }
  void Fence() {
    Lead();
    Call(NewGeneration{lease, {}, 3, generation});
  }
  void Open() {
    Fence();
    Call(MarkReady{"1-a", 0, {}});
    Call(MarkReady{"1-a", 1, {}});
    Call(OpenGeneration{lease, {}, generation});
  }
  // Batch 1 is planned and both slots have reported it: only the commit is left.
  void Prepare() {
    Open();
    Call(Plan(1, "", "D1"));
    Call(PutPrepared{"1-a", 0, 1, "r0"});
    Call(PutPrepared{"1-a", 1, 1, "r1"});
  }
  // Somebody says that it knows a later commit.
  void Doubt() { Call(BeatMember{"b", {}, {7, "D7"}, false}); }
  // A second generation, "2-b", whose slots are ready; then it is opened, too.
  void Refence();
  void Reopen();

  Lease lease;
  Generation generation{"1-a",     1, 1, "spec", 1, false, 2, {{"a", "a:1"}, {"b", "b:1"}},
                        {0, 1, 0}, {}};
  AppendPlan Plan(int64_t batch, const std::string& before, const std::string& digest) const {
    return {lease, "1-a", before, {batch, digest, "spec", "bytes" + std::to_string(batch)}};
  }
  CommitBatch Commit(int64_t batch, const std::string& digest) const {
    return {lease,
            "1-a",
            batch,
            digest,
            "record" + std::to_string(batch),
            {{"in/0", "9007199254740993"}, {"in/1", ""}}};
  }

 private:
  std::unique_ptr<JobStore> store_;
  StoreReply last_;
};

// What a store must answer in one situation.
struct StoreStep {
  std::string name;
  StoreCode want;
  std::function<StoreCode(Scene&)> run;
};

inline Lease Other(const Lease& lease) { return {lease.token + "x", lease.epoch}; }
inline Generation Later(Generation generation, int64_t fence) {
  generation.fence = fence;
  generation.name = std::to_string(fence) + "-b";
  return generation;
}
inline void Scene::Refence() {
  Call(NewGeneration{lease, {}, 3, Later(generation, 2)});
  Call(MarkReady{"2-b", 0, {}});
  Call(MarkReady{"2-b", 1, {}});
}
inline void Scene::Reopen() {
  Refence();
  Call(OpenGeneration{lease, {}, Later(generation, 2)});
}

std::vector<StoreStep> LeaseSteps();
std::vector<StoreStep> GenerationSteps();
std::vector<StoreStep> BatchSteps();
std::vector<StoreStep> CommitSteps();
std::vector<StoreStep> HaltSteps();

}  // namespace millrace::worker
