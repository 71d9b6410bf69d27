#include "worker/schedule/cluster/table_exchange.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "worker/data/column_testing.h"
#include "worker/step/pipeline.h"

namespace millrace::worker {
namespace {

constexpr int kStages = 2;
constexpr int kUnits = 7;

// Two sinks' ends and two tables': ends 1 and 3 are tables 4 and 0.
JobPlan TablePlan() {
  JobPlan plan;
  plan.graph.stages.resize(kStages);
  plan.ends.resize(4);
  plan.ends[1].kind = plan.ends[3].kind = PlanEnd::Kind::kTable;
  plan.ends[1].index = 4;
  return plan;
}

ChunkRef Row(const std::string& text) {
  return std::make_shared<BatchChunk>(testing::Batch({{"k", testing::Strings({text})}}));
}

// What the units of a worker that owns those with unit % slots == slot delivered.
BatchRun RunOf(int slot, int slots) {
  BatchRun run;
  run.ends.resize(4);
  for (int end = 0; end < 4; ++end) {
    for (int stage = 0; stage < kStages; ++stage) {
      for (int unit = slot; unit < kUnits; unit += slots) {
        const std::string name =
            std::to_string(end) + "." + std::to_string(stage) + "." + std::to_string(unit);
        run.ends[end].push_back({stage, unit, {Row(name + "a"), Row(name + "b")}});
      }
    }
  }
  return run;
}

struct Hub {
  std::mutex mutex;
  std::condition_variable changed;
  Generation generation;
  std::mt19937 random{7};
  std::map<int, std::vector<RemoteChunk>> sent;  // by receiver
  int finished = 0;
};

class HubPort final : public ExchangePort {
 public:
  HubPort(Hub* hub, int slot) : hub_(hub), slot_(slot) {}
  int slot() const override { return slot_; }
  bool Owns(int, int unit) const override { return OwnerOfUnit(hub_->generation, unit) == slot_; }
  Status Send(RemoteChunk chunk) override {
    const std::lock_guard lock(hub_->mutex);
    EXPECT_EQ(chunk.target_stage, kStages);
    hub_->sent[OwnerOfUnit(hub_->generation, chunk.target_unit)].push_back(std::move(chunk));
    return OkStatus();
  }
  Status Finish(int) override {
    const std::lock_guard lock(hub_->mutex);
    ++hub_->finished;
    hub_->changed.notify_all();
    return OkStatus();
  }
  Result<std::vector<RemoteChunk>> Receive(int) override {
    std::unique_lock lock(hub_->mutex);
    hub_->changed.wait(lock, [&] { return hub_->finished == hub_->generation.slots(); });
    std::shuffle(hub_->sent[slot_].begin(), hub_->sent[slot_].end(), hub_->random);
    return std::move(hub_->sent[slot_]);
  }

 private:
  Hub* hub_;
  int slot_;
};

// What each worker's tables are told, in order.
std::vector<std::string> Applied(int slots) {
  Hub hub;
  for (int slot = 0; slot < slots; ++slot)
    hub.generation.seats.push_back({std::to_string(slot), std::to_string(slot)});
  for (int group = 0; group < 12; ++group) hub.generation.groups.push_back(group * slots / 12);
  std::vector<std::string> told(slots);
  std::vector<std::jthread> workers;
  for (int slot = 0; slot < slots; ++slot) {
    workers.emplace_back([&, slot] {
      const JobPlan plan = TablePlan();
      HubPort port(&hub, slot);
      const auto apply = [&](int table, const std::vector<RecordBatch>& rows) {
        told[slot] += "table " + std::to_string(table) + ":";
        for (const RecordBatch& row : rows)
          told[slot] += " " + std::string(row.Find("k")->strings[0]);
        told[slot] += "\n";
        return OkStatus();
      };
      EXPECT_TRUE(
          ShareTableRows(plan, hub.generation, slot, &port, RunOf(slot, slots), apply).ok());
    });
  }
  workers.clear();
  return told;
}

TEST(TableExchangeTest, EveryWorkerAppliesWhatOneAloneApplies) {
  const std::string alone = Applied(1)[0];
  EXPECT_EQ(alone.substr(0, 36), "table 4: 1.0.0a 1.0.0b 1.0.1a 1.0.1b");
  EXPECT_NE(alone.find("\ntable 0: 3.0.0a"), std::string::npos);
  for (const int slots : {2, 3, 5}) {
    for (const std::string& told : Applied(slots)) EXPECT_EQ(told, alone) << slots;
  }
}

TEST(TableExchangeTest, AJobWithoutStreamTablesSendsNothing) {
  Hub hub;
  hub.generation.seats = {{"a", "a"}, {"b", "b"}};
  hub.generation.groups = {0, 1};
  JobPlan plan;
  plan.ends.resize(1);
  HubPort port(&hub, 0);
  BatchRun run;
  run.ends.resize(1);
  const auto apply = [](int, const std::vector<RecordBatch>&) { return InternalError("called"); };
  EXPECT_TRUE(ShareTableRows(plan, hub.generation, 0, &port, run, apply).ok());
  EXPECT_EQ(hub.finished, 0);
}

}  // namespace
}  // namespace millrace::worker
