#include "tests/simulation/node.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace millrace::simulation {
namespace {

using std::chrono::milliseconds;

constexpr Duration kLease = std::chrono::seconds(3);
constexpr Duration kBatchInterval = milliseconds(200);
constexpr int kLeaseCore = 0;
constexpr int kLeaderCore = 1;
constexpr int kMemberCore = 2;

worker::LeaderConfig LeaderConfigOf(const worker::OwnSpec& spec) {
  worker::LeaderConfig config;
  config.spec = spec;
  config.heartbeat = kLease / 3;
  config.member_timeout = kLease;
  config.gather = milliseconds(500);
  config.ready_timeout = 2 * kLease;
  config.resend = milliseconds(300);
  return config;
}

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

// ---- plans ----

Status SimPlanMaker::Resume(const worker::CommitHead&,
                            const std::map<std::string, std::string>& offsets) {
  positions_.clear();
  planned_.clear();
  for (const auto& [field, to] : offsets) positions_[std::stoi(field)] = std::stoll(to);
  due_ = world_->now();
  return OkStatus();
}

Status SimPlanMaker::Adopt(const worker::PlanEntry& plan) {
  if (plan.spec_hash != spec_hash_) return InvalidError("plan of another spec");
  ASSIGN_OR_RETURN(const worker::BatchPlan decoded, worker::DecodePlan(plan.bytes));
  for (const worker::PlannedRange& range : decoded.sources.at(0).ranges)
    positions_[range.partition] = std::stoll(range.to);
  planned_[plan.batch] = decoded;
  return OkStatus();
}

Result<std::optional<std::string>> SimPlanMaker::Next(int64_t batch) {
  due_ = world_->now() + kBatchInterval;
  worker::BatchPlan plan;
  plan.batch = batch;
  plan.batch_time = TimePoint(world_->now().time_since_epoch());
  plan.spec_hash = spec_hash_;
  worker::PlannedSource& source = plan.sources.emplace_back();
  source.name = "in";
  for (int partition = 0; partition < kPartitions; ++partition) {
    const int64_t records = static_cast<int64_t>(world_->random()() % 6);
    if (records == 0) continue;
    int64_t& position = positions_[partition];
    source.ranges.push_back(
        {partition, std::to_string(position), std::to_string(position + records), "", records});
    position += records;
  }
  planned_[batch] = plan;
  return std::optional<std::string>(worker::EncodePlan(plan));
}

worker::CommitParts SimPlanMaker::Finish(int64_t batch, const std::vector<std::string>&) {
  worker::CommitParts parts;
  for (const worker::PlannedRange& range : planned_.at(batch).sources.at(0).ranges)
    parts.offsets.emplace_back(std::to_string(range.partition), range.to);
  return parts;
}

// ---- the process ----

Node::Node(World* world, uint64_t number, worker::OwnSpec spec)
    : id(number),
      address("node-" + std::to_string(number)),
      world_(world),
      spec_(std::move(spec)),
      lease_({kLease, spec_.generation, spec_.hash, true}, {address, address},
             [world] { return std::to_string(world->random()()); }),
      member_({address, address}, milliseconds(200)) {}

void Node::Start() { Pump(); }

void Node::Leave() {
  leaving_ = true;
  lease_.Leave(world_->now());
  if (leader_) leader_->StepDown(world_->now());
  member_.Leave(world_->now());
  Pump();
}

bool Node::gone() const { return said_gone_; }

// Carries out what the cores want until they want nothing more, then waits for the next timer.
void Node::Pump() {
  if (pumping_) return;
  pumping_ = true;
  for (bool busy = true; busy;) {
    busy = false;
    const MonotonicTime now = world_->now();
    if (now >= lease_.next_timer()) lease_.OnTimer(now);
    if (leader_ && now >= leader_->next_timer()) leader_->OnTimer(now);
    if (now >= member_.next_timer()) member_.OnTimer(now);
    lease_.Know(member_.known());
    if (lease_.facts()) member_.OnFacts(*lease_.facts(), now);
    std::vector<worker::Action> actions[3] = {
        lease_.TakeActions(), leader_ ? leader_->TakeActions() : std::vector<worker::Action>(),
        member_.TakeActions()};
    for (int core = 0; core < 3; ++core) {
      busy = busy || !actions[core].empty();
      PumpOnce(std::move(actions[core]), core);
    }
  }
  pumping_ = false;
  if (leader_ && leader_->reason() != reason_)
    world_->Trace(address + " reason: " + (reason_ = leader_->reason()));
  if (leaving_ && !leader_ && member_.left() && !said_gone_) {
    said_gone_ = true;
    lease_.SayGone();
    for (worker::Action& action : lease_.TakeActions())
      QueueCall(kLeaseCore, std::get<worker::CallStore>(std::move(action)));
  }
  Tick();
}

void Node::PumpOnce(std::vector<worker::Action> actions, int core) {
  for (worker::Action& action : actions) {
    if (auto* call = std::get_if<worker::CallStore>(&action)) {
      QueueCall(core, std::move(*call));
      continue;
    }
    std::visit(
        [this](const auto& a) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(a)>, worker::CallStore>) Do(a);
        },
        action);
  }
}

void Node::Tick() {
  MonotonicTime next = std::min(lease_.next_timer(), member_.next_timer());
  if (leader_) next = std::min(next, leader_->next_timer());
  if (next == MonotonicTime::max() || next >= next_tick_) return;
  next_tick_ = next;
  world_->After(std::max(Duration(1), next - world_->now()), this, [this] {
    next_tick_ = MonotonicTime::max();
    Pump();
  });
}

void Node::QueueCall(int core, worker::CallStore call) {
  calls_[core].emplace_back(core == kLeaderCore ? leader_number_ : 0, std::move(call));
  NextCall(core);
}

void Node::NextCall(int core) {
  if (calling_[core] || calls_[core].empty()) return;
  calling_[core] = true;
  auto [number, call] = std::move(calls_[core].front());
  calls_[core].pop_front();
  world_->CallStore(
      this, call.request,
      [this, core, number = number, done = std::move(call.done)](const worker::StoreReply& reply) {
        calling_[core] = false;
        if (core != kLeaderCore || (leader_ && number == leader_number_))
          done(reply, world_->now());
        NextCall(core);
        Pump();
      });
}

void Node::OnMessageBytes(const std::string& bytes) {
  const Result<worker::Message> message = worker::DecodeMessage(bytes);
  if (!message.ok())
    return world_->Violation("message does not decode: " + message.status().message());
  if (std::holds_alternative<worker::LeaseFreed>(message->body)) lease_.OnLeaseFreed(world_->now());
  if (leader_) leader_->OnMessage(*message, world_->now());
  member_.OnMessage(*message, world_->now());
  Pump();
}

void Node::Do(const worker::SendMessage& action) {
  const std::string bytes = worker::EncodeMessage(action.message);
  if (world_->options().trace_messages)
    world_->Trace(address + " -> " + action.address + " message " +
                  std::to_string(action.message.body.index()));
  world_->Send(this, action.address, [bytes](Node* to) { to->OnMessageBytes(bytes); });
}

void Node::Do(const worker::ReadLedgers& action) {
  world_->After(world_->Between(500, 20000), this, [this, generation = action.generation] {
    if (!leader_) return;
    if (world_->SinkReachable(this))
      leader_->OnLedgers(generation, world_->sink().Ledger(true), world_->now());
    else
      leader_->OnLedgers(generation, UnavailableError("the sink does not answer"), world_->now());
    Pump();
  });
}

void Node::Do(const worker::EndLeadership& action) {
  if (!action.status.ok()) world_->OnHalt(action.status);
  world_->Trace(address + " leads no more: " + action.status.message());
  lease_.OnLeadershipEnded();
  world_->After(Duration(1), this, [this, number = leader_number_] {
    if (leader_number_ == number) leader_.reset();
    Pump();
  });
}

void Node::Do(const worker::LeadershipWon& action) {
  world_->Trace(address + " leads, epoch " + std::to_string(action.lease.epoch));
  ++leader_number_;
  maker_ = std::make_unique<SimPlanMaker>(world_, spec_.hash);
  leader_ = std::make_unique<worker::LeaderCore>(
      LeaderConfigOf(spec_), worker::Seat{address, address}, action.lease, maker_.get(),
      [this] { return world_->random()(); });
  leader_->Start(world_->now());
  if (leaving_) leader_->StepDown(world_->now());
}

void Node::Do(const worker::LeadershipLost&) {
  if (leader_) leader_->Depose();
}

// ---- the engine ----

void Node::Do(const worker::StopWork&) {
  ++work_;
  computing_.reset();
  packets_.clear();
  outputs_.clear();
}

void Node::Do(const worker::TakeOver& action) {
  ++work_;
  computing_.reset();
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
                  if (work == work_) SendPackets(plan, generation);
                });
}

// To every worker, its own too; again and again until the batch is computed here, as a connection
// would.
void Node::SendPackets(const worker::BatchPlan& plan, const std::string& generation) {
  for (int slot = 0; slot < generation_.slots(); ++slot) {
    Packet packet{generation, plan.batch, slot_, {}};
    for (int partition = 0; partition < kPartitions; ++partition) {
      if (worker::OwnerOfInput(generation_, 0, partition) != slot_) continue;
      for (const auto& [group, counts] : ReadPartition(plan, partition)) {
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
