#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/simulation/world.h"
#include "worker/coordination/cluster/leader_core.h"
#include "worker/coordination/cluster/lease_core.h"
#include "worker/coordination/cluster/member_core.h"

namespace millrace::simulation {

// Plans of the toy job, a few records of each partition at a time.
class SimPlanMaker final : public worker::PlanMaker {
 public:
  SimPlanMaker(World* world, std::string spec_hash)
      : world_(world), spec_hash_(std::move(spec_hash)) {}
  Status Resume(const worker::CommitHead& commit,
                const std::map<std::string, std::string>& offsets) override;
  Status Adopt(const worker::PlanEntry& plan) override;
  Result<std::optional<std::string>> Next(int64_t batch) override;
  MonotonicTime next_due() const override { return due_; }
  worker::CommitParts Finish(int64_t batch, const std::vector<std::string>& facts) override;
  bool completed() const override { return false; }

 private:
  World* world_;
  std::string spec_hash_;
  std::map<int, int64_t> positions_;
  std::map<int64_t, worker::BatchPlan> planned_;
  MonotonicTime due_;
};

// One worker process: the three cores that production runs, and an engine for the toy job.
class Node {
 public:
  Node(World* world, uint64_t id, worker::OwnSpec spec);

  void Start();
  void Leave();
  bool gone() const;
  bool leaving() const { return leaving_; }
  const std::string& spec_hash() const { return spec_.hash; }

  uint64_t id = 0;
  std::string address;
  MonotonicTime paused_until;
  MonotonicTime cut_from_store_until;
  MonotonicTime cut_from_sink_until;
  MonotonicTime cut_from_peers_until;

  // Rows that another worker's input tasks sent for this worker's groups.
  struct Packet {
    std::string generation;
    int64_t batch = 0;
    int from = 0;
    std::map<int, GroupCounts> units;  // input unit -> group -> counts
  };
  void OnPacket(const Packet& packet);
  void OnMessageBytes(const std::string& bytes);
  bool leading() const { return leader_ != nullptr; }

 private:
  struct Output {
    std::string digest;
    Rows rows;
    std::map<int, std::string> heads;
  };

  void Pump();
  void PumpOnce(std::vector<worker::Action> actions, int core);
  void Tick();
  void QueueCall(int core, worker::CallStore call);
  void NextCall(int core);

  void Do(const worker::SendMessage& action);
  void Do(const worker::ReadLedgers& action);
  void Do(const worker::EndLeadership& action);
  void Do(const worker::LeadershipWon& action);
  void Do(const worker::LeadershipLost& action);
  void Do(const worker::TakeOver& action);
  void Do(const worker::ComputeBatch& action);
  void Do(const worker::DeliverOutput& action);
  void Do(const worker::RunProbe& action);
  void Do(const worker::SettleBatch& action);
  void Do(const worker::StopWork& action);

  void Restore(const worker::TakeOver& action);
  void Count(const worker::RunProbe& action, const worker::BatchPlan& plan);
  void SendPackets(const worker::BatchPlan& plan, const std::string& generation);
  void FinishCompute();
  bool Poisoned(const worker::BatchPlan& plan) const;
  int64_t LimitOf(int partition) const;

  World* world_;
  worker::OwnSpec spec_;
  worker::LeaseCore lease_;
  worker::MemberCore member_;
  std::unique_ptr<SimPlanMaker> maker_;
  std::unique_ptr<worker::LeaderCore> leader_;
  uint64_t leader_number_ = 0;
  std::string reason_;                                           // last one traced
  std::deque<std::pair<uint64_t, worker::CallStore>> calls_[3];  // lease, leader, member
  bool calling_[3] = {};
  bool pumping_ = false;
  bool leaving_ = false;
  bool said_gone_ = false;
  MonotonicTime next_tick_ = MonotonicTime::max();

  // ---- the engine ----
  worker::Generation generation_;
  int slot_ = -1;
  uint64_t work_ = 0;  // number of the generation's work; older events find another one
  int64_t handle_ = 0;
  GroupCounts state_;
  std::map<int, std::string> heads_;
  std::optional<worker::BatchPlan> computing_;
  std::string computing_digest_;
  bool probing_ = false;           // nothing of it is stored
  std::map<int, int64_t> limits_;  // of a probe, by partition
  std::map<std::pair<std::string, int64_t>, std::map<int, Packet>> packets_;
  std::map<int64_t, Output> outputs_;
};

}  // namespace millrace::simulation
