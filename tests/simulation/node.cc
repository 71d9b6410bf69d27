#include "tests/simulation/node.h"

#include <algorithm>
#include <utility>

namespace millrace::simulation {
namespace {

using std::chrono::milliseconds;

constexpr Duration kLease = std::chrono::seconds(3);
constexpr Duration kBatchInterval = milliseconds(200);
constexpr int kLeaseCore = 0;
constexpr int kLeaderCore = 1;
constexpr int kMemberCore = 2;

worker::LeaderConfig LeaderConfigOf(const worker::OwnSpec& spec, bool bisect) {
  worker::LeaderConfig config;
  config.bisect = bisect;
  config.spec = spec;
  config.heartbeat = kLease / 3;
  config.member_timeout = kLease;
  config.gather = milliseconds(500);
  config.ready_timeout = 2 * kLease;
  config.resend = milliseconds(300);
  return config;
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
      LeaderConfigOf(spec_, world_->options().poison), worker::Seat{address, address}, action.lease,
      maker_.get(), [this] { return world_->random()(); });
  leader_->Start(world_->now());
  if (leaving_) leader_->StepDown(world_->now());
}

void Node::Do(const worker::LeadershipLost&) {
  if (leader_) leader_->Depose();
}

}  // namespace millrace::simulation
