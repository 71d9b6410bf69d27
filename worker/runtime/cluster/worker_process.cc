#include "worker/runtime/cluster/worker_process.h"

#include <algorithm>
#include <random>
#include <utility>

#include "crds/api/edit_class.h"
#include "crds/base/failpoint.h"
#include "crds/base/log.h"

namespace millrace::worker {
namespace {

constexpr Duration kRetry = std::chrono::milliseconds(200);
constexpr Duration kReceiveWait = std::chrono::milliseconds(200);
constexpr Duration kMaxGather = std::chrono::milliseconds(500);

LeaderConfig ConfigOf(const WorkerProcessOptions& options) {
  LeaderConfig config;
  config.spec = options.spec;
  config.announce_delivery = options.announce_delivery;
  config.attempts = options.attempts;
  config.bisect = options.bisect;
  config.heartbeat = options.lease / 3;
  config.member_timeout = options.lease;
  config.gather = std::min<Duration>(options.lease / 4, kMaxGather);
  config.ready_timeout = std::max<Duration>(3 * options.lease, std::chrono::seconds(15));
  config.resend = std::min<Duration>(options.lease / 6, std::chrono::milliseconds(500));
  return config;
}

std::string MillisText(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

uint64_t Random() {
  static std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

}  // namespace

WorkerProcess::WorkerProcess(WorkerProcessOptions options, JobParts* parts, ClusterEngine* engine,
                             TableVersions* tables, PeerNetwork* network, std::string member,
                             JobListener* listener, ClusterListener* cluster_listener)
    : options_(std::move(options)),
      parts_(parts),
      engine_(engine),
      tables_(tables),
      network_(network),
      self_{std::move(member), network->address()},
      listener_(listener),
      cluster_listener_(cluster_listener),
      member_(self_, kRetry) {}

void WorkerProcess::Post(std::function<void()> event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  wake_.notify_one();
}

Status WorkerProcess::Run(const MakeStore& make_store, std::stop_token stop) {
  ASSIGN_OR_RETURN(store_, make_store(StoreUse::kRecord));
  ASSIGN_OR_RETURN(engine_store_, make_store(StoreUse::kRecord));
  ASSIGN_OR_RETURN(std::unique_ptr<JobStore> heart_store, make_store(StoreUse::kHeartbeat));
  store_thread_ = std::make_unique<WorkThread>();
  compute_thread_ = std::make_unique<WorkThread>();
  output_thread_ = std::make_unique<WorkThread>();
  receiver_ = std::jthread([this](const std::stop_token& end) {
    while (!end.stop_requested()) {
      std::optional<PeerFrame> frame =
          network_->ReceiveControl(parts_->clock->Monotonic() + kReceiveWait, end);
      if (frame) Post([this, bytes = std::string(frame->bytes.view())] { OnFrame(bytes); });
    }
  });
  Heart::Events events;
  events.won = [this](const Lease& lease) { Post([this, lease] { OnWon(lease); }); };
  events.lost = [this] {
    Post([this] {
      if (leader_) leader_->Depose();
    });
  };
  events.facts = [this](std::shared_ptr<const JobFacts> facts) {
    Post([this, facts] { OnFacts(facts); });
  };
  events.vanished = [this] {
    Post([this] {
      End(InternalError("StateLost: the job's record is missing from the state store"));
    });
  };
  heart_ = std::make_unique<Heart>(
      LeaseCore::Config{options_.lease, options_.spec.generation, options_.spec.hash, true}, self_,
      std::move(heart_store), parts_->clock, std::move(events));
  Loop(stop);
  engine_->Cancel();
  receiver_ = {};
  heart_->Leave();
  heart_.reset();
  output_thread_.reset();
  compute_thread_.reset();
  store_thread_.reset();
  return *ended_;
}

void WorkerProcess::Loop(const std::stop_token& stop) {
  while (!ended_) {
    std::deque<std::function<void()>> events;
    {
      std::unique_lock lock(mutex_);
      const MonotonicTime now = parts_->clock->Monotonic();
      MonotonicTime next = std::min(member_.next_timer(), leave_until_);
      if (leader_) next = std::min(next, leader_->next_timer());
      next = std::min<MonotonicTime>(next, now + std::chrono::seconds(1));
      const auto ready = [this] { return !events_.empty(); };
      if (next > now) {
        if (leaving_)
          wake_.wait_for(lock, next - now, ready);
        else
          wake_.wait_for(lock, stop, next - now, ready);
      }
      events.swap(events_);
    }
    if (stop.stop_requested() && !leaving_) BeginLeaving();
    for (const std::function<void()>& event : events) {
      event();
      Pump();
    }
    Pump();
    if (leaving_ && MayEnd()) End(OkStatus());
  }
}

// Carries out what the cores want until they want nothing more.
void WorkerProcess::Pump() {
  for (bool busy = true; busy && !ended_;) {
    const MonotonicTime now = parts_->clock->Monotonic();
    if (leader_ && now >= leader_->next_timer()) leader_->OnTimer(now);
    if (now >= member_.next_timer()) member_.OnTimer(now);
    heart_->Know(member_.known());
    std::vector<Action> actions = leader_ ? leader_->TakeActions() : std::vector<Action>();
    const uint64_t leader = leader_number_;
    busy = !actions.empty();
    for (Action& action : actions) Do(std::move(action), leader);
    actions = member_.TakeActions();
    busy = busy || !actions.empty();
    for (Action& action : actions) Do(std::move(action), 0);
  }
  Publish();
}

void WorkerProcess::Do(Action action, uint64_t leader) {
  if (auto* call = std::get_if<CallStore>(&action)) return Do(std::move(*call), leader);
  if (const auto* send = std::get_if<SendMessage>(&action)) return Do(*send);
  if (const auto* read = std::get_if<ReadLedgers>(&action)) return Do(*read, leader);
  if (const auto* end = std::get_if<EndLeadership>(&action)) return Do(*end, leader);
  if (const auto* take = std::get_if<TakeOver>(&action)) return Do(*take);
  if (const auto* compute = std::get_if<ComputeBatch>(&action)) return Do(*compute);
  if (const auto* deliver = std::get_if<DeliverOutput>(&action)) return Do(*deliver);
  if (const auto* probe = std::get_if<RunProbe>(&action)) return Do(*probe);
  if (const auto* settle = std::get_if<SettleBatch>(&action)) return Do(*settle);
  if (const auto* stop = std::get_if<StopWork>(&action)) return Do(*stop);
}

// Replies find the core by number: the leader may have ended meanwhile.
void WorkerProcess::Do(CallStore action, uint64_t leader) {
  store_thread_->Post([this, leader, action = std::move(action)] {
    if (std::holds_alternative<CommitBatch>(action.request)) Failpoint("worker.before_commit");
    const MonotonicTime begin = parts_->clock->Monotonic();
    StoreReply reply = store_->Call(action.request);
    if (std::holds_alternative<CommitBatch>(action.request)) {
      cluster_listener_->OnCommitCall(parts_->clock->Monotonic() - begin);
      Failpoint("worker.after_commit");
    }
    if (std::holds_alternative<AppendPlan>(action.request)) Failpoint("worker.planned");
    if (std::holds_alternative<PutPrepared>(action.request)) Failpoint("worker.prepared");
    Post([this, leader, done = action.done, reply = std::move(reply)] {
      if (leader == 0 || (leader_ && leader == leader_number_))
        done(reply, parts_->clock->Monotonic());
    });
  });
}

void WorkerProcess::Do(const SendMessage& action) {
  std::string bytes = EncodeMessage(action.message);
  if (action.address == self_.address)
    return Post([this, bytes = std::move(bytes)] { OnFrame(bytes); });
  if (const Status status = network_->SendControl(action.address, std::move(bytes)); !status.ok()) {
    Log(LogLevel::kDebug, "message not sent",
        {{"to", action.address}, {"error", status.message()}});
  }
}

void WorkerProcess::Do(const ReadLedgers& action, uint64_t leader) {
  output_thread_->Post([this, leader, generation = action.generation] {
    Result<LedgerFacts> facts = engine_->ReadLedgers();
    Post([this, leader, generation, facts = std::move(facts)] {
      if (leader_ && leader == leader_number_)
        leader_->OnLedgers(generation, facts, parts_->clock->Monotonic());
    });
  });
}

void WorkerProcess::Do(const EndLeadership& action, uint64_t leader) {
  heart_->OnLeadershipEnded();
  if (!action.status.ok()) return End(action.status);
  Log(LogLevel::kInfo, "leads no more", {{"member", self_.member}});
  Post([this, leader] {
    if (leader == leader_number_) leader_.reset();
  });
}

void WorkerProcess::Do(const StopWork&) { engine_->Cancel(); }

// Compute thread. While a generation is fenced the commit stands still.
Result<ClusterEngine::Inheritance> WorkerProcess::ReadInheritance(const CommitHead& commit) {
  ClusterEngine::Inheritance from;
  const StoreReply job = engine_store_->Call(ReadJob{});
  if (!job.ok()) return AbortedError("job: " + job.detail);
  const StoreReply offsets = engine_store_->Call(ReadOffsets{});
  if (!offsets.ok()) return AbortedError("offsets: " + offsets.detail);
  ASSIGN_OR_RETURN(from.commit, CommitPointOf(commit, offsets.fields));
  if (commit.batch == 0) return from;
  StoreReply reports = engine_store_->Call(ReadReports{commit.generation, commit.batch});
  if (!reports.ok()) return AbortedError("reports: " + reports.detail);
  if (static_cast<int64_t>(reports.fields.size()) != commit.reports)
    return InternalError("StateLost: " + std::to_string(reports.fields.size()) + " of " +
                         std::to_string(commit.reports) +
                         " reports of the committed batch are left");
  from.reports = std::move(reports.fields);
  if (job.facts->commit.spec_hash != options_.spec.hash) {
    ASSIGN_OR_RETURN(const SpecRecord before, CommittedSpec(*job.facts));
    from.kept = CompareShapes(before.shape, options_.spec.record.shape).kept;
  }
  return from;
}

void WorkerProcess::Retune(const api::StreamingJobSpec& spec) {
  Post([this, spec] {
    api::TakeHotFields(spec, &parts_->job->spec);
    options_.attempts = spec.poison_batch.attempts;
    options_.bisect = spec.poison_batch.action == api::PoisonBatch::Action::kBisect;
    if (leader_) leader_->SetPoison(options_.attempts, options_.bisect);
    if (maker_) maker_->Retune();
  });
}

// Begins when the delivery in work has come back.
void WorkerProcess::Do(const TakeOver& action) {
  Log(LogLevel::kInfo, "taking over",
      {{"generation", action.generation.name},
       {"slot", std::to_string(action.slot)},
       {"slots", std::to_string(action.generation.slots())},
       {"commit", std::to_string(action.commit.batch)}});
  engine_->Cancel();
  const MonotonicTime begin = parts_->clock->Monotonic();
  output_thread_->Post([this, action, begin] {
    compute_thread_->Post([this, action, begin] {
      Failpoint("worker.take_over");
      const Result<ClusterEngine::Inheritance> from = ReadInheritance(action.commit);
      const Status status = from.ok() ? engine_->TakeOver(action, *from) : from.status();
      Failpoint("worker.taken_over");
      Log(LogLevel::kInfo, "taken over",
          {{"generation", action.generation.name},
           {"millis", MillisText(parts_->clock->Monotonic() - begin)},
           {"error", status.message()}});
      Post([this, generation = action.generation.name, status] {
        member_.OnTakenOver(generation, status, parts_->clock->Monotonic());
      });
    });
  });
}

void WorkerProcess::Do(const ComputeBatch& action) {
  compute_thread_->Post([this, action] {
    Status status = engine_->Compute(action.generation, action.plan);
    if (!status.ok())
      Log(LogLevel::kDebug, "batch failed",
          {{"batch", std::to_string(action.plan.batch)}, {"error", status.message()}});
    Post([this, action, status] {
      member_.OnComputed(action.generation, action.plan.batch, status, parts_->clock->Monotonic());
    });
    engine_->Sweep();
  });
}

void WorkerProcess::Do(const DeliverOutput& action) {
  output_thread_->Post([this, action] {
    ClusterEngine::Output output = engine_->Deliver(action);
    Post([this, generation = action.generation.name, batch = action.batch,
          output = std::move(output)]() mutable {
      member_.OnDelivered(generation, batch, output.status, std::move(output.report),
                          std::move(output.facts), parts_->clock->Monotonic());
    });
  });
}

void WorkerProcess::Do(const RunProbe& action) {
  compute_thread_->Post([this, action] {
    std::vector<RangeRecords> counts;
    const Status status = action.count
                              ? engine_->CountRecords(action.generation, action.plan, &counts)
                              : engine_->Probe(action.generation, action.plan, action.limits);
    Post([this, action, status, counts = std::move(counts)] {
      member_.OnProbed(action.generation, action.plan.batch, status, counts);
    });
  });
}

void WorkerProcess::Do(const SettleBatch& action) {
  output_thread_->Post([this, commit = action.commit] {
    const Status status = engine_->Settle(commit);
    if (!status.ok())
      Log(LogLevel::kWarn, "after commit",
          {{"batch", std::to_string(commit.batch)}, {"error", status.message()}});
    const Result<CommitPoint> record = DecodeCommit(commit.record);
    if (record.ok() && record->completed) Post([this] { End(OkStatus()); });
  });
}

void WorkerProcess::OnWon(const Lease& lease) {
  Log(LogLevel::kInfo, "leads", {{"member", self_.member}, {"epoch", std::to_string(lease.epoch)}});
  ++leader_number_;
  epoch_ = lease.epoch;
  cluster_listener_->OnElected();
  maker_ = std::make_unique<ClusterPlanMaker>(parts_, tables_, listener_);
  leader_ = std::make_unique<LeaderCore>(ConfigOf(options_), self_, lease, maker_.get(), Random);
  leader_->Start(parts_->clock->Monotonic());
  if (leaving_) leader_->StepDown(parts_->clock->Monotonic());
}

void WorkerProcess::OnFacts(std::shared_ptr<const JobFacts> facts) {
  facts_ = std::move(facts);
  NoteLease();
  member_.OnFacts(*facts_, parts_->clock->Monotonic());
  if (!leader_) cluster_listener_->OnFollow(facts_->commit.batch);
  if (!facts_->halt.empty() && !leader_) End(InternalError(facts_->halt));
  const Result<CommitPoint> record = facts_->commit.record.empty()
                                         ? Result<CommitPoint>(CommitPoint{})
                                         : DecodeCommit(facts_->commit.record);
  if (record.ok() && record->completed && facts_->commit.spec_hash == options_.spec.hash &&
      !leader_)
    End(OkStatus());
}

void WorkerProcess::OnFrame(const std::string& bytes) {
  const Result<Message> message = DecodeMessage(bytes);
  if (!message.ok())
    return Log(LogLevel::kWarn, "message refused", {{"error", message.status().message()}});
  if (std::holds_alternative<LeaseFreed>(message->body)) heart_->OnLeaseFreed();
  const MonotonicTime now = parts_->clock->Monotonic();
  if (leader_) leader_->OnMessage(*message, now);
  member_.OnMessage(*message, now);
}

void WorkerProcess::BeginLeaving() {
  leaving_ = true;
  const MonotonicTime now = parts_->clock->Monotonic();
  leave_until_ = now + options_.grace;
  heart_->Leave();
  if (leader_) leader_->StepDown(now);
  member_.Leave(now);
}

void WorkerProcess::NoteLease() {
  const LeaseRecord& found = facts_->lease;
  if (found.lease != lease_.lease || found.beat != lease_.beat || found.released != lease_.released)
    lease_still_since_ = parts_->clock->Monotonic();
  lease_ = found;
}

// Handed over; or nobody is there to hand over to: the lease stays released, or its holder is
// silent; or the time is up.
bool WorkerProcess::MayEnd() const {
  const MonotonicTime now = parts_->clock->Monotonic();
  if (now >= leave_until_) return true;
  if (leader_) return false;
  if (member_.left()) return true;
  if (facts_ == nullptr) return false;
  return now - lease_still_since_ >= (lease_.released ? options_.lease / 2 : 2 * options_.lease);
}

void WorkerProcess::End(Status status) {
  if (!ended_) ended_ = std::move(status);
}

}  // namespace millrace::worker
