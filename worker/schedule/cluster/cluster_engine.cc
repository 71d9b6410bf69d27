#include "worker/schedule/cluster/cluster_engine.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "crds/base/failpoint.h"
#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/schedule/batch_planner.h"
#include "worker/schedule/cluster/table_exchange.h"
#include "worker/schedule/poison.h"

namespace millrace::worker {
namespace {

constexpr Duration kSweepInterval = std::chrono::seconds(1);
constexpr int64_t kSweptAtOnce = 2'000;  // blobs; some milliseconds of Redis

Result<ChunkRef> DecodeChunk(int, std::string_view bytes) {
  ASSIGN_OR_RETURN(RecordBatch batch, DecodeBatch(bytes));
  return ChunkRef(std::make_shared<BatchChunk>(std::move(batch)));
}

SinkLedger LedgerOf(const Delivered& delivered) {
  SinkLedger ledger;
  ledger.keeps = true;
  ledger.batch = delivered.batch;
  ledger.digest = delivered.digest;
  for (const TaskId& task : delivered.tasks) ledger.tasks.push_back({task.stage, task.unit});
  std::sort(ledger.tasks.begin(), ledger.tasks.end());
  return ledger;
}

}  // namespace

ClusterEngine::ClusterEngine(JobParts* parts, RedisStateLog* state, TableVersions* tables,
                             BatchPorts* ports, ClusterListener* listener)
    : parts_(parts),
      state_(state),
      tables_(tables),
      ports_(ports),
      listener_(listener),
      executor_(&parts->plan.graph, parts->pool.get(), DecodeChunk),
      output_executor_(&parts->plan.graph, &output_pool_, DecodeChunk),
      delivery_(parts) {}

void ClusterEngine::Cancel() {
  const std::lock_guard lock(mutex_);
  work_stop_.request_stop();
}

std::stop_token ClusterEngine::StopOfWork() {
  const std::lock_guard lock(mutex_);
  return work_stop_.get_token();
}

std::shared_ptr<ClusterEngine::Work> ClusterEngine::Find(int64_t batch) {
  const std::lock_guard lock(mutex_);
  const auto work = works_.find(batch);
  return work == works_.end() ? nullptr : work->second;
}

Status ClusterEngine::TakeOver(const worker::TakeOver& action, const Inheritance& from) {
  {
    const std::lock_guard lock(mutex_);
    work_stop_ = std::stop_source();
    works_.clear();
  }
  generation_ = action.generation;
  slot_ = action.slot;
  committed_ = action.commit.batch;
  ports_->Begin(generation_, slot_);
  const MonotonicTime begin = parts_->clock->Monotonic();
  TakeOverProgress progress;
  progress.generation = generation_.name;
  progress.commit = action.commit.batch;
  Status status = Load(from, &progress);
  if (status.ok()) {
    progress.step = TakeOverProgress::Step::kFencing;
    progress.took = parts_->clock->Monotonic() - begin;
    listener_->OnTakeOver(progress);
    status = OpenSinks(action);
  }
  progress.step = status.ok() ? TakeOverProgress::Step::kDone : TakeOverProgress::Step::kFailed;
  progress.took = parts_->clock->Monotonic() - begin;
  progress.error = status.message();
  listener_->OnTakeOver(progress);
  return status;
}

Status ClusterEngine::Load(const Inheritance& from, TakeOverProgress* progress) {
  listener_->OnTakeOver(*progress);
  const CommitPoint& commit = from.commit;
  Heads heads;
  for (const auto& [slot, report] : from.reports) RETURN_IF_ERROR(DecodeHeads(report, &heads));
  Heads tables;  // every worker holds them, one reports them
  std::erase_if(heads, [&](const auto& head) {
    const auto& [stage, unit] = head.first;
    const bool table = parts_->tables->Writes(stage);
    const bool owned = OwnerOfUnit(generation_, unit) == slot_;
    if (table && !owned) tables.insert(head);
    const bool kept = !from.kept || table ||
                      std::find(from.kept->begin(), from.kept->end(), stage) != from.kept->end();
    return !kept || !owned;
  });
  progress->units = static_cast<int64_t>(heads.size() + tables.size());
  RETURN_IF_ERROR(state_->Recover(generation_.name, commit.batch, heads, StopOfWork(), tables));
  progress->bytes = state_->loaded_bytes();
  RETURN_IF_ERROR(Restore());
  RETURN_IF_ERROR(parts_->tables->Restore(*state_));
  state_->DropLoaded();
  last_batch_time_ = commit.batch_time;
  last_watermarks_.clear();
  for (const auto& [name, source] : commit.sources) last_watermarks_[name] = source.watermark;
  return OkStatus();
}

Status ClusterEngine::Restore() {
  const JobGraph& graph = parts_->plan.graph;
  for (const StageSpec& stage : graph.stages) {
    if (!stage.logic->stateful()) continue;
    std::vector<int> units;
    for (int unit = 0; unit < stage.units; ++unit) {
      if (OwnerOfUnit(generation_, unit) == slot_) units.push_back(unit);
    }
    std::vector<Status> statuses(units.size());
    parts_->pool->ParallelFor(units.size(), [&](size_t i) {
      const Result<UnitBlobs> blobs = state_->Load(stage.id, units[i]);
      statuses[i] = blobs.ok() ? stage.logic->Restore(units[i], blobs->snapshot, blobs->deltas)
                               : blobs.status();
    });
    for (const Status& status : statuses) {
      if (!status.ok()) return status.WithContext("state of " + stage.id);
    }
  }
  return OkStatus();
}

Status ClusterEngine::OpenSinks(const worker::TakeOver& action) {
  SinkSeat seat;
  seat.generation = generation_.name;
  seat.fence = generation_.fence;
  seat.slot = slot_;
  seat.slots = generation_.slots();
  seat.max_slots = generation_.max_slots;
  seat.committed = action.commit.batch;
  return ForEachSink([&](size_t i) {
    const Status status = parts_->sinks[i]->Open(seat);
    return status.ok() && seat.committed > 0 ? parts_->sinks[i]->Committed(seat.committed) : status;
  });
}

// All sinks at once: each waits for servers of its own. The first error.
Status ClusterEngine::ForEachSink(const std::function<Status(size_t)>& work) {
  std::vector<Status> statuses(parts_->sinks.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < statuses.size(); ++i)
      threads.emplace_back([&, i] { statuses[i] = work(i); });
  }
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (!statuses[i].ok())
      return statuses[i].WithContext("sink \"" + parts_->job->spec.sinks[i].name + "\"");
  }
  return OkStatus();
}

Result<LedgerFacts> ClusterEngine::ReadLedgers() {
  LedgerFacts facts;
  std::vector<SinkLedger> ledgers(parts_->sinks.size());
  RETURN_IF_ERROR(ForEachSink([&](size_t i) {
    ASSIGN_OR_RETURN(ledgers[i], parts_->sinks[i]->ReadLedger());
    return OkStatus();
  }));
  for (size_t i = 0; i < ledgers.size(); ++i) {
    const SinkLedger& ledger = ledgers[i];
    if (!ledger.keeps) continue;
    const std::string& name = parts_->job->spec.sinks[i].name;
    Delivered& delivered = facts.sinks[name];
    delivered.batch = ledger.batch;
    delivered.digest = ledger.digest;
    for (const SinkTask& task : ledger.tasks) delivered.tasks.push_back({task.stage, task.unit});
    facts.fence = std::max(facts.fence, ledger.fence);
    facts.slots = std::max(facts.slots, ledger.slots);
    if (ledger.missing) facts.missing = name;
  }
  return facts;
}

BatchContext ClusterEngine::ContextOf(const BatchPlan& plan) const {
  BatchContext context;
  context.batch = plan.batch;
  context.batch_time = plan.batch_time;
  context.previous_batch_time = last_batch_time_;
  context.final = plan.final;
  for (const PlannedSource& source : plan.sources) {
    context.watermarks.push_back(source.watermark);
    const auto before = last_watermarks_.find(source.name);
    context.previous_watermarks.push_back(before == last_watermarks_.end() ? TimePoint::min()
                                                                           : before->second);
  }
  return context;
}

// Every worker learns of every partition, so that units have the same numbers everywhere.
Status ClusterEngine::Prepare(const BatchPlan& plan) {
  RETURN_IF_ERROR(parts_->tables->Select(plan.table_versions, *tables_, parts_->plan.tables.get()));
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    InputStage* input = parts_->plan.inputs[i];
    if (input == nullptr) continue;
    std::vector<PartitionRange> ranges;
    for (const PlannedRange& range : plan.sources[i].ranges)
      ranges.push_back({range.partition, range.from, range.to, range.proof, range.records});
    input->Assign(std::move(ranges), ExclusionsOf(plan, plan.sources[i].name));
    parts_->plan.graph.stages[parts_->plan.input_stages[i]].units = input->units();
  }
  return OkStatus();
}

Status ClusterEngine::Compute(const std::string& generation, const PlanEntry& entry) {
  const MonotonicTime begin = parts_->clock->Monotonic();
  const std::stop_token stop = StopOfWork();
  if (generation != generation_.name || stop.stop_requested())
    return AbortedError("the generation ended");
  auto work = std::make_shared<Work>();
  ASSIGN_OR_RETURN(work->plan, DecodePlan(entry.bytes));
  listener_->OnPlan(work->plan);
  RETURN_IF_ERROR(Prepare(work->plan));
  work->port = ports_->Open(entry.batch, stop);
  work->run = executor_.Begin(ContextOf(work->plan), work->port.get());
  RETURN_IF_ERROR(executor_.RunStages(0, parts_->plan.first_dead_letter_stage, &work->run));
  RETURN_IF_ERROR(ShareTableRows(parts_->plan, generation_, slot_, work->port.get(), work->run,
                                 [this](int table, const std::vector<RecordBatch>& rows) {
                                   return parts_->tables->Apply(table, rows);
                                 }));
  Failpoint("worker.computed");
  const MonotonicTime computed = parts_->clock->Monotonic();
  RETURN_IF_ERROR(StoreState(work->run));
  RETURN_IF_ERROR(state_->Flush(entry.batch, stop));
  work->slot.compute = computed - begin;
  work->slot.write = parts_->clock->Monotonic() - computed;
  work->slot.blobs = state_->flushed();
  work->report = state_->Report();
  work->facts = FactsOf(*work);
  work->facts.compute = parts_->clock->Monotonic() - begin;
  last_batch_time_ = work->plan.batch_time;
  for (const PlannedSource& source : work->plan.sources)
    last_watermarks_[source.name] = source.watermark;
  const std::lock_guard lock(mutex_);
  works_[entry.batch] = std::move(work);
  return OkStatus();
}

// Garbage costs space only: after an error the next round tries again.
void ClusterEngine::Sweep() {
  const MonotonicTime now = parts_->clock->Monotonic();
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweepInterval;
  const Result<int64_t> swept = state_->Sweep(committed_, now, kSweptAtOnce, StopOfWork());
  if (swept.ok() && *swept > 0) listener_->OnSwept(*swept);
}

// Deltas of what the batch changed. From here on it is part of the state in memory: only a new
// generation takes it back.
Status ClusterEngine::StoreState(const BatchRun& run) {
  struct Blob {
    const StageSpec* stage;
    int unit;
    bool snapshot;
    std::string bytes;
    Status status;
  };
  std::vector<Blob> blobs;
  for (size_t stage = 0; stage < run.ran.size(); ++stage) {
    const StageSpec& spec = parts_->plan.graph.stages[stage];
    if (!spec.logic->stateful()) continue;
    for (const int unit : run.ran[stage])
      blobs.push_back({&spec, unit, state_->WantsSnapshot(spec.id, unit), {}, {}});
  }
  parts_->pool->ParallelFor(blobs.size(), [&](size_t i) {
    Blob& blob = blobs[i];
    blob.status = blob.snapshot ? blob.stage->logic->EncodeSnapshot(blob.unit, &blob.bytes)
                                : blob.stage->logic->EncodeDelta(blob.unit, &blob.bytes);
    blob.stage->logic->Settle(blob.unit);
  });
  for (const Blob& blob : blobs) {
    RETURN_IF_ERROR(blob.status);
    if (blob.snapshot)
      RETURN_IF_ERROR(state_->PutSnapshot(blob.stage->id, blob.unit, blob.bytes));
    else if (!blob.bytes.empty())
      RETURN_IF_ERROR(state_->PutDelta(blob.stage->id, blob.unit, blob.bytes));
  }
  if (OwnerOfUnit(generation_, TableKeeper::kStateUnit) == slot_)
    RETURN_IF_ERROR(parts_->tables->PutState(state_));
  parts_->tables->Settle();
  return OkStatus();
}

SlotFacts ClusterEngine::FactsOf(const Work& work) const {
  SlotFacts facts;
  const JobGraph& graph = parts_->plan.graph;
  facts.event_times = EventTimesOf(graph, work.plan.sources.size(), work.run);
  facts.input_records.resize(work.plan.sources.size());
  for (size_t stage = 0; stage < graph.stages.size(); ++stage) {
    const TaskReport& total = work.run.stages[stage].total;
    facts.late_records += total.late_records;
    facts.bad_records += total.bad_records;
    const StageLogic& logic = *graph.stages[stage].logic;
    if (const auto* input = dynamic_cast<const InputStage*>(&logic)) {
      facts.input_records[input->spec().source_index] += total.input_records;
      facts.input_bytes += total.input_bytes;
    }
    if (!logic.stateful() || facts.holds_state) continue;
    for (int unit = 0; unit < graph.stages[stage].units && !facts.holds_state; ++unit) {
      facts.holds_state = OwnerOfUnit(generation_, unit) == slot_ && logic.StateKeys(unit) > 0;
    }
  }
  facts.state_bytes = state_->committed_bytes();
  return facts;
}

ClusterEngine::Output ClusterEngine::Deliver(const DeliverOutput& action) {
  const std::shared_ptr<Work> work = Find(action.batch);
  if (work == nullptr)
    return {
        AbortedError("batch " + std::to_string(action.batch) + " is not computed here"), {}, {}};
  for (size_t i = 0; i < parts_->sinks.size(); ++i) {
    const auto skip = action.generation.skip.find(parts_->job->spec.sinks[i].name);
    if (skip != action.generation.skip.end()) parts_->sinks[i]->Skip(LedgerOf(skip->second));
  }
  const SinkBatch batch{work->plan.batch, work->plan.batch_time, action.generation.name,
                        HexEncode(action.digest)};
  BatchInfo info;
  Failpoint("worker.deliver");
  const MonotonicTime begin = parts_->clock->Monotonic();
  Status status = delivery_.DeliverWave(false, batch, &work->run, &info);
  const int stages = static_cast<int>(parts_->plan.graph.stages.size());
  if (status.ok())
    status = output_executor_.RunStages(parts_->plan.first_dead_letter_stage, stages, &work->run);
  if (status.ok()) status = delivery_.DeliverWave(true, batch, &work->run, &info);
  Failpoint("worker.delivered");
  for (const auto& [sink, rows] : info.output_by_sink) work->facts.output_records += rows;
  work->facts.bad_records += info.rejected_records;
  if (status.ok()) {
    work->slot.batch = action.batch;
    work->slot.output = parts_->clock->Monotonic() - begin;
    work->slot.output_records = work->facts.output_records;
    for (const int64_t records : work->facts.input_records) work->slot.input_records += records;
    listener_->OnSlotBatch(work->slot);
  }
  return {status, work->report, EncodeFacts(work->facts)};
}

Status ClusterEngine::Settle(const CommitHead& commit) {
  committed_ = commit.batch;
  {
    const std::lock_guard lock(mutex_);
    works_.erase(works_.begin(), works_.upper_bound(commit.batch));
  }
  for (size_t i = 0; i < parts_->sinks.size(); ++i) {
    const Status status = parts_->sinks[i]->Committed(commit.batch);
    if (!status.ok())
      return status.WithContext("sink \"" + parts_->job->spec.sinks[i].name + "\" after commit");
  }
  return OkStatus();
}

}  // namespace millrace::worker
