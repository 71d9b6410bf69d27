#include "tests/simulation/world.h"

#include <algorithm>
#include <cstdio>
#include <tuple>
#include <utility>

#include "tests/simulation/node.h"

namespace millrace::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using worker::StoreCode;
using worker::StoreReply;

constexpr Duration kFaultTime = seconds(30);
constexpr Duration kQuietTime = seconds(25);
constexpr Duration kLastPart = seconds(8);  // of the quiet time: commits must come again in it
constexpr int64_t kCommitsWanted = 10;
constexpr Duration kGrace = seconds(10);  // a worker that was told to leave is killed after it

}  // namespace

World::World(WorldOptions options)
    : options_(options),
      random_(options.seed),
      now_(seconds(1000)),
      store_(options.left_out),
      sink_(options.fence_left_out != Fence::kSinkInit),
      replicas_(options.nodes) {}
World::~World() = default;

Duration World::Between(int64_t low_micros, int64_t high_micros) {
  return Duration(std::uniform_int_distribution<int64_t>(low_micros, high_micros)(random_));
}

void World::Trace(const std::string& text) const {
  if (options_.trace)
    std::printf("%9.3f %s\n", std::chrono::duration<double>(now_.time_since_epoch()).count(),
                text.c_str());
}

void World::Violation(std::string text) {
  Trace("VIOLATION " + text);
  if (violation_.empty()) violation_ = std::move(text);
}

void World::OnHalt(const Status& status) {
  if (halted_.empty()) halted_ = status.message();
  if (disturbed_) return;
  const int64_t next = store_.facts().commit.batch + 1;
  const bool begun = options_.edits && sink_.rows().contains(next);
  if (!begun || !status.message().starts_with("UpgradeBlocked"))
    Violation("halted without a reason: " + status.message());
}

void World::After(Duration delay, Node* node, std::function<void()> event) {
  // Stopped in the middle of anything, for longer than a lease.
  if (node != nullptr && faults_ && Chance(0.0004))
    node->paused_until = now_ + Between(3500000, 9000000);
  events_.push({now_ + delay, ++order_, node == nullptr ? 0 : node->id, std::move(event)});
}

void World::Send(Node* from, const std::string& address, std::function<void(Node*)> deliver) {
  if (from->cut_from_peers_until > now_ && from->address != address) return;
  const int copies = Chance(loss_) ? 0 : Chance(0.02) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const Duration delay = Chance(0.02) ? Between(10000, 800000) : Between(100, 3000);
    After(delay, nullptr, [this, address, deliver] {
      for (const auto& [id, node] : nodes_) {
        if (node->address != address || (node->cut_from_peers_until > now_)) continue;
        After(Duration(1), node.get(), [deliver, to = node.get()] { deliver(to); });
      }
    });
  }
}

bool World::StoreReachable(const Node* node) const {
  return store_down_until_ <= now_ && node->cut_from_store_until <= now_;
}
bool World::SinkReachable(const Node* node) const { return node->cut_from_sink_until <= now_; }

// A request may not arrive, or its reply may be lost: the caller cannot tell one from the other
// unless nothing was sent.
void World::CallStore(Node* node, const worker::StoreRequest& request,
                      std::function<void(const StoreReply&)> reply) {
  const auto answer = [this, id = node->id, reply](Duration delay, StoreReply value) {
    const auto found = nodes_.find(id);
    if (found != nodes_.end())
      After(delay, found->second.get(), [reply, value = std::move(value)] { reply(value); });
  };
  if (!StoreReachable(node))
    return answer(Between(1000, 300000),
                  {Chance(0.7) ? StoreCode::kUnavailable : StoreCode::kUnknown,
                   "no connection",
                   nullptr,
                   {},
                   {}});
  const Duration there = slow_ ? Between(1000, 600000) : Between(100, 1500);
  After(there, nullptr, [this, id = node->id, request, answer] {
    const auto found = nodes_.find(id);
    const bool reachable =
        found == nodes_.end() ? store_down_until_ <= now_ : StoreReachable(found->second.get());
    const StoreReply unknown{StoreCode::kUnknown, "connection lost", nullptr, {}, {}};
    if (!reachable || (faults_ && Chance(0.003))) return answer(Between(1000, 500000), unknown);
    if (faults_ && Chance(0.004)) {  // given up by the caller, carried out much later
      After(Between(500000, 8000000), nullptr, [this, request] { Apply(request); });
      return answer(Between(1000, 500000), unknown);
    }
    StoreReply value = Apply(request);
    if (options_.trace && !value.ok())
      Trace("node-" + std::to_string(id) + " request " + std::to_string(request.index()) + ": " +
            std::string(worker::StoreCodeName(value.code)) + " " + value.detail);
    if (faults_ && Chance(0.003)) value = unknown;
    answer(slow_ ? Between(1000, 600000) : Between(100, 1500), std::move(value));
  });
}

StoreReply World::Apply(const worker::StoreRequest& request) {
  const auto* commit = std::get_if<worker::CommitBatch>(&request);
  std::string plan;
  if (commit != nullptr) {
    for (const worker::PlanEntry& entry : store_.facts().plans) {
      if (entry.batch == commit->batch) plan = entry.bytes;
    }
  }
  const std::string spec = store_.facts().spec_hash;
  StoreReply reply = store_.Call(request);
  if (store_.facts().spec_hash != spec) ++changes_;
  if (commit != nullptr && reply.ok()) {
    const Result<worker::BatchPlan> decoded = worker::DecodePlan(plan);
    if (!decoded.ok())
      Violation("commit without a plan");
    else
      CheckCommit(*commit, *decoded);
  }
  return reply;
}

void World::CheckCommit(const worker::CommitBatch& commit, const worker::BatchPlan& plan) {
  const auto batch = static_cast<size_t>(commit.batch);
  if (batch <= digests_.size()) {  // committed before the store went back
    if (digests_[batch - 1] != commit.digest)
      Violation("I8: batch " + std::to_string(batch) + " committed under two digests");
    return;
  }
  if (batch != digests_.size() + 1)
    return Violation("I1: batch " + std::to_string(batch) + " committed after " +
                     std::to_string(digests_.size()));
  std::map<int, int64_t> ends = ends_.empty() ? std::map<int, int64_t>() : ends_.back();
  for (const worker::PlannedRange& range : plan.sources.at(0).ranges) {
    if (std::stoll(range.from) != ends[range.partition])
      Violation("I1: batch " + std::to_string(batch) +
                " does not begin where the one before ended");
    ends[range.partition] = std::stoll(range.to);
  }
  left_out_ += static_cast<int64_t>(plan.exclusions.size());
  for (int partition = 0; partition < kPartitions; ++partition) {
    if (options_.poison && Fails(plan, partition))
      Violation("poison is committed in batch " + std::to_string(batch));
  }
  if (LeavesOutGood(plan)) Violation("a good record is left out of batch " + std::to_string(batch));
  ends_.push_back(ends);
  digests_.push_back(commit.digest);
  rows_.push_back(oracle_.Run(plan));
  states_.push_back(oracle_.state());
  const auto written = sink_.rows().find(commit.batch);
  Rows found;
  if (written != sink_.rows().end()) {
    for (const auto& [group, row] : written->second) found[group] = row.rows;
  }
  if (found != rows_.back())
    Violation("I3: sink and oracle differ in batch " + std::to_string(batch));
}

void World::CheckRecovered(int64_t batch, int group, const Counts& state) {
  if (batch > static_cast<int64_t>(states_.size()))
    return Violation("I6: recovered at an unknown batch");
  static const Counts kEmpty;
  const Counts* want = &kEmpty;
  if (batch > 0 && states_[batch - 1].contains(group)) want = &states_[batch - 1].at(group);
  if (state != *want)
    Violation("I6: state of group " + std::to_string(group) + " at batch " + std::to_string(batch) +
              " differs from the oracle's");
}

// ---- life of the cluster ----

void World::StartNode() {
  const uint64_t id = ++last_node_;
  nodes_[id] = std::make_unique<Node>(this, id, Spec());
  Trace("start node-" + std::to_string(id));
  After(Duration(1), nodes_[id].get(), [node = nodes_[id].get()] { node->Start(); });
}

worker::OwnSpec World::Spec() const {
  worker::OwnSpec spec;
  spec.generation = options_.counted ? spec_ : 0;
  spec.hash = "spec-" + std::to_string(spec_);
  spec.record = {{{"sinks", "same"}, {"streams", spec.hash}}, "counts\tint\n"};
  spec.groups = kGroups;
  return spec;
}

void World::EndNode(uint64_t id) {
  Trace("end node-" + std::to_string(id));
  nodes_.erase(id);
}

Node* World::Pick() {
  if (nodes_.empty()) return nullptr;
  if (Chance(0.4)) {
    for (const auto& [id, node] : nodes_) {
      if (node->leading()) return node.get();
    }
  }
  return std::next(nodes_.begin(), static_cast<int64_t>(random_() % nodes_.size()))->second.get();
}

void World::ScheduleFault() {
  After(Between(100000, 3000000), nullptr, [this] {
    if (!faults_) return;
    InjectFault();
    ScheduleFault();
  });
}

void World::InjectFault() {
  Node* node = Pick();
  if (node == nullptr) return;
  const Duration length = Between(50000, 7000000);
  switch (random_() % 10) {
    case 0:
    case 1: {
      EndNode(node->id);
      return;
    }
    case 2:
      node->paused_until = now_ + length;
      return Trace("pause " + node->address);
    case 3:
      node->cut_from_store_until = now_ + length;
      return Trace("cut from store " + node->address);
    case 4:
      node->cut_from_sink_until = now_ + length;
      return Trace("cut from sink " + node->address);
    case 5:
      node->cut_from_peers_until = now_ + length;
      return Trace("cut from peers " + node->address);
    case 6:
      store_down_until_ = now_ + length / 2;
      return Trace("store down");
    case 7:
      loss_ = Chance(0.5) ? 0 : 0.3;
      return;
    case 8:
      slow_ = !slow_;
      return Trace("store slow or not");
    case 9:
      Trace("leave " + node->address);
      node->Leave();
      After(kGrace, nullptr, [this, id = node->id] {
        if (nodes_.contains(id)) EndNode(id);
      });
      replicas_ = 1 + static_cast<int>(random_() % 4);
      return;
  }
}

void World::ScheduleEdit() {
  After(Between(3000000, 15000000), nullptr, [this] {
    if (!faults_) return;
    ++spec_;
    Trace("edit " + std::to_string(spec_));
    ScheduleEdit();
  });
}

// One worker of an older job file leaves once there is one of the newest.
void World::ReplaceOne() {
  const std::string newest = Spec().hash;
  Node* old = nullptr;
  bool has_newest = false;
  for (const auto& [id, node] : nodes_) {
    if (node->leaving()) continue;
    if (node->spec_hash() == newest)
      has_newest = true;
    else
      old = node.get();
  }
  if (old == nullptr || (!has_newest && !Chance(0.2))) return;
  old->Leave();
  After(kGrace, nullptr, [this, id = old->id] {
    if (nodes_.contains(id)) EndNode(id);
  });
}

// Starts workers that are missing, as a Deployment does, now and again.
void World::KeepReplicas() {
  int running = 0;
  for (const auto& [id, node] : nodes_) running += node->leaving() ? 0 : 1;
  const bool surge = options_.edits && Chance(0.5);
  for (; running < replicas_ + (surge ? 1 : 0); ++running) StartNode();
  ReplaceOne();
  After(Between(100000, 2000000), nullptr, [this] { KeepReplicas(); });
}

void World::GoBack() {
  disturbed_ = true;
  if (options_.wipe) {
    Trace("store lost");
    store_.Clear();
    blobs_.clear();
  } else if (copy_) {
    Trace("store goes back to batch " + std::to_string(copy_->first.facts().commit.batch));
    store_ = copy_->first;
    blobs_ = copy_->second;
  }
}

void World::Heal() {
  faults_ = false;
  loss_ = 0;
  slow_ = false;
  store_down_until_ = now_;
  for (const auto& [id, node] : nodes_)
    node->paused_until = node->cut_from_store_until = node->cut_from_sink_until =
        node->cut_from_peers_until = now_;
  Trace("healed");
}

void World::Step(Event event) {
  if (event.node != 0) {
    const auto node = nodes_.find(event.node);
    if (node == nodes_.end()) return;
    if (node->second->paused_until > now_) {
      event.time = node->second->paused_until;
      events_.push(std::move(event));
      return;
    }
  }
  event.run();
  if (event.node != 0) {
    const auto node = nodes_.find(event.node);
    if (node != nodes_.end() && node->second->gone())
      After(milliseconds(50), nullptr, [this, id = event.node] {
        if (nodes_.contains(id)) EndNode(id);
      });
  }
}

void World::CheckEnd(int64_t committed) {
  if (static_cast<int64_t>(digests_.size()) < committed + kCommitsWanted)
    Violation("I13: no commits after the faults ended: " + std::to_string(digests_.size()) +
              " after " + std::to_string(committed));
  const std::string newest = Spec().hash;
  const bool replaced = std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    return node.second->spec_hash() == newest;
  });
  if (replaced && store_.facts().commit.spec_hash != newest)
    Violation("the newest job file does not run: " + store_.facts().commit.spec_hash);
}

std::string World::Run() {
  (void)store_.Call(
      worker::InitJob{Spec().generation, Spec().hash, worker::EncodeSpec(Spec().record)});
  KeepReplicas();
  ScheduleFault();
  if (options_.edits) ScheduleEdit();
  if (options_.rollback || options_.wipe) {
    const Duration at = Between(5000000, 25000000);
    After(at, nullptr, [this] { copy_.emplace(store_, blobs_); });
    After(at + Between(1000, 4000000), nullptr, [this] { GoBack(); });
  }
  const MonotonicTime begin = now_;
  After(kFaultTime, nullptr, [this] { Heal(); });
  int64_t committed = -1;
  while (!events_.empty() && violation_.empty() && now_ - begin < kFaultTime + kQuietTime) {
    Event event = events_.top();
    events_.pop();
    now_ = std::max(now_, event.time);
    if (committed < 0 && now_ - begin >= kFaultTime + kQuietTime - kLastPart)
      committed = static_cast<int64_t>(digests_.size());
    Step(std::move(event));
  }
  if (violation_.empty() && halted_.empty() && store_.facts().halt.empty() &&
      !(disturbed_ && options_.wipe))
    CheckEnd(committed);
  return violation_;
}

}  // namespace millrace::simulation
