// A worker's engine for the toy job: state, exchange, blobs and output.
#include <algorithm>
#include <limits>
#include <sstream>
#include <utility>

#include "tests/simulation/node.h"

namespace millrace::simulation {
namespace {

using std::chrono::milliseconds;

std::string BlobName(int group, int64_t batch, const std::string& generation) {
  return std::to_string(group) + "/" + std::to_string(batch) + "/" + generation;
}

// "group name group name ..."
std::string EncodeHeads(const std::map<int, std::string>& heads) {
  std::string text;
  for (const auto& [group, name] : heads) text += std::to_string(group) + " " + name + " ";
  return text;
}

std::map<int, std::string> DecodeHeads(const std::string& text) {
  std::map<int, std::string> heads;
  std::istringstream in(text);
  int group = 0;
  std::string name;
  while (in >> group >> name) heads[group] = name;
  return heads;
}

}  // namespace

void Node::Do(const worker::StopWork&) {
  ++work_;
  computing_.reset();
  probing_ = false;
  packets_.clear();
  outputs_.clear();
}

void Node::Do(const worker::TakeOver& action) {
  ++work_;
  computing_.reset();
  probing_ = false;
  limits_.clear();
  packets_.clear();
  outputs_.clear();
  generation_ = action.generation;
  slot_ = action.slot;
  world_->After(world_->Between(1000, 50000), this, [this, action, work = work_] {
    if (work == work_) Restore(action);
  });
}

void Node::Restore(const worker::TakeOver& action) {
  const auto fail = [&](const Status& status) {
    member_.OnTakenOver(action.generation.name, status, world_->now());
    Pump();
  };
  if (!world_->SinkReachable(this) || !world_->StoreReachable(this))
    return fail(UnavailableError("a peer does not answer"));
  const int slots = action.generation.slots();
  for (int slot = 0; slot < action.generation.max_slots; ++slot) {
    if (slot % slots != slot_) continue;
    const int64_t handle = world_->sink().Init(slot, action.generation.fence);
    if (slot == slot_) handle_ = handle;
  }
  std::map<int, std::string> heads;
  if (action.commit.batch > 0) {
    worker::ModelJobStore store = world_->store();
    const worker::StoreReply reports =
        store.Call(worker::ReadReports{action.commit.generation, action.commit.batch});
    if (!reports.ok()) return fail(AbortedError("reports: " + reports.detail));
    if (static_cast<int64_t>(reports.fields.size()) != action.commit.reports)
      return fail(InternalError("StateLost: reports are missing"));
    for (const auto& [slot, report] : reports.fields) heads.merge(DecodeHeads(report));
  }
  state_.clear();
  heads_.clear();
  for (int group = 0; group < kGroups; ++group) {
    if (worker::OwnerOfUnit(generation_, group) != slot_) continue;
    std::vector<const World::Blob*> chain;
    for (std::string name = heads.contains(group) ? heads[group] : ""; !name.empty();
         name = chain.back()->previous) {
      const auto blob = world_->blobs().find(name);
      if (blob == world_->blobs().end())
        return fail(InternalError("StateLost: blob " + name + " is missing"));
      chain.push_back(&blob->second);
    }
    for (auto blob = chain.rbegin(); blob != chain.rend(); ++blob) {
      for (const auto& [key, count] : (*blob)->counts) state_[group][key] = count;
    }
    if (heads.contains(group)) heads_[group] = heads[group];
    world_->CheckRecovered(action.commit.batch, group, state_[group]);
  }
  member_.OnTakenOver(action.generation.name, OkStatus(), world_->now());
  Pump();
}

void Node::Do(const worker::ComputeBatch& action) {
  const Result<worker::BatchPlan> plan = worker::DecodePlan(action.plan.bytes);
  computing_ = *plan;
  computing_digest_ = action.plan.digest;
  world_->After(world_->Between(500, 20000), this,
                [this, plan = *plan, generation = action.generation, work = work_] {
                  if (work != work_) return;
                  if (Poisoned(plan)) {
                    member_.OnComputed(generation, plan.batch, InvalidError("poison"),
                                       world_->now());
                    return Pump();
                  }
                  SendPackets(plan, generation);
                });
}

// Whether this worker's partitions make the batch fail.
bool Node::Poisoned(const worker::BatchPlan& plan) const {
  for (int partition = 0; partition < kPartitions; ++partition) {
    if (world_->options().poison && worker::OwnerOfInput(generation_, 0, partition) == slot_ &&
        Fails(plan, partition, LimitOf(partition)))
      return true;
  }
  return false;
}

int64_t Node::LimitOf(int partition) const {
  const auto limit = limits_.find(partition);
  return limit == limits_.end() ? std::numeric_limits<int64_t>::max() : limit->second;
}

void Node::Do(const worker::RunProbe& action) {
  const Result<worker::BatchPlan> decoded = worker::DecodePlan(action.plan.bytes);
  world_->After(world_->Between(500, 20000), this, [this, action, plan = *decoded, work = work_] {
    if (work != work_) return;
    if (action.count) return Count(action, plan);
    for (const worker::RangeRecords& limit : action.limits)
      limits_[limit.partition] = limit.records;
    if (Poisoned(plan)) {
      member_.OnProbed(action.generation, plan.batch, InvalidError("poison"), {});
      return Pump();
    }
    computing_ = plan;
    probing_ = true;
    SendPackets(plan, action.generation);
  });
}

void Node::Count(const worker::RunProbe& action, const worker::BatchPlan& plan) {
  std::vector<worker::RangeRecords> counts;
  for (const worker::PlannedRange& range : plan.sources.at(0).ranges) {
    if (worker::OwnerOfInput(generation_, 0, range.partition) == slot_)
      counts.push_back({0, range.partition, std::stoll(range.to) - std::stoll(range.from)});
  }
  member_.OnProbed(action.generation, plan.batch, OkStatus(), std::move(counts));
  Pump();
}

// To every worker, its own too; again and again until the batch is computed here, as a connection
// would.
void Node::SendPackets(const worker::BatchPlan& plan, const std::string& generation) {
  for (int slot = 0; slot < generation_.slots(); ++slot) {
    Packet packet{generation, plan.batch, slot_, {}};
    for (int partition = 0; partition < kPartitions; ++partition) {
      if (worker::OwnerOfInput(generation_, 0, partition) != slot_) continue;
      for (const auto& [group, counts] : ReadPartition(plan, partition, LimitOf(partition))) {
        if (worker::OwnerOfUnit(generation_, group) == slot)
          packet.units[partition][group] = counts;
      }
    }
    world_->Send(this, generation_.seats[slot].address,
                 [packet](Node* to) { to->OnPacket(packet); });
  }
  world_->After(milliseconds(300), this, [this, plan, generation, work = work_] {
    if (work == work_ && world_->store().facts().commit.batch < plan.batch)
      SendPackets(plan, generation);
  });
}

void Node::OnPacket(const Packet& packet) {
  if (packet.generation != generation_.name) return;
  packets_[{packet.generation, packet.batch}].emplace(packet.from, packet);
  FinishCompute();
}

void Node::FinishCompute() {
  if (!computing_) return;
  const auto arrived = packets_.find({generation_.name, computing_->batch});
  if (arrived == packets_.end() || static_cast<int>(arrived->second.size()) < generation_.slots())
    return;
  const worker::BatchPlan plan = *std::exchange(computing_, std::nullopt);
  if (probing_) {
    member_.OnProbed(generation_.name, plan.batch, OkStatus(), {});
    return Pump();
  }
  GroupCounts sums;
  for (const auto& [from, packet] : arrived->second) {
    for (const auto& [unit, groups] : packet.units) {
      for (const auto& [group, counts] : groups) {
        for (const auto& [key, count] : counts) sums[group][key] += count;
      }
    }
  }
  packets_.erase(packets_.begin(), std::next(arrived));
  Output& output = outputs_[plan.batch];
  output.digest = computing_digest_;
  const std::string generation = generation_.name;
  for (const auto& [group, counts] : sums) {
    output.rows[group] = Apply(plan.batch, counts, &state_[group]);
    const std::string name = BlobName(group, plan.batch, generation);
    World::Blob blob{heads_[group], plan.batch, {}};
    for (const auto& [key, count] : counts) blob.counts[key] = state_[group][key];
    heads_[group] = name;
    if (world_->StoreReachable(this))
      world_->blobs()[name] = blob;
    else
      output.digest.clear();
  }
  for (const auto& [group, head] : heads_) {
    if (!head.empty()) output.heads[group] = head;
  }
  world_->After(
      world_->Between(200, 5000), this,
      [this, batch = plan.batch, generation, stored = !output.digest.empty(), work = work_] {
        if (work != work_) return;
        member_.OnComputed(
            generation, batch,
            stored ? OkStatus() : UnavailableError("the state store does not answer"),
            world_->now());
        Pump();
      });
}

void Node::Do(const worker::DeliverOutput& action) {
  world_->After(world_->Between(500, 10000), this, [this, action, work = work_] {
    if (work != work_) return;
    const Output& output = outputs_.at(action.batch);
    SimSink::Record record{action.batch, action.digest, {}};
    Rows rows = output.rows;
    const auto skip = action.generation.skip.find("out");
    if (skip != action.generation.skip.end() && world_->options().fence_left_out != Fence::kSkip) {
      if (skip->second.batch > action.batch) rows.clear();
      if (skip->second.batch == action.batch) {
        for (const worker::TaskId& task : skip->second.tasks) {
          rows.erase(task.unit);
          record.groups.insert(task.unit);
        }
      }
    }
    Status status;
    if (!rows.empty()) {
      for (const auto& [group, text] : rows) record.groups.insert(group);
      std::string error;
      if (!world_->SinkReachable(this)) {
        status = UnavailableError("the sink does not answer");
      } else if (world_->faults() &&
                 world_->Chance(0.02)) {  // given up here, carried out much later
        status = UnavailableError("the sink's answer was lost");
        world_->After(world_->Between(1000, 8000000), nullptr,
                      [world = world_, slot = slot_, handle = handle_, record, rows] {
                        std::string late;
                        (void)world->sink().Commit(slot, handle, record, rows, &late);
                        if (!late.empty()) world->Violation(late);
                      });
      } else if (!world_->sink().Commit(slot_, handle_, record, rows, &error)) {
        status = AbortedError("fenced");
      } else if (world_->faults() && world_->Chance(0.01)) {
        status = UnavailableError("the sink's answer was lost");
      }
      if (!error.empty()) world_->Violation(error);
      const bool early = action.batch > world_->store().facts().commit.batch + 1;
      if (status.ok() && early && world_->halted().empty() && !world_->disturbed())
        world_->Violation("I4: output of batch " + std::to_string(action.batch) +
                          " before the commit before it");
    }
    member_.OnDelivered(action.generation.name, action.batch, status, EncodeHeads(output.heads), "",
                        world_->now());
    Pump();
  });
}

void Node::Do(const worker::SettleBatch& action) {
  outputs_.erase(outputs_.begin(), outputs_.upper_bound(action.commit.batch));
}

}  // namespace millrace::simulation
