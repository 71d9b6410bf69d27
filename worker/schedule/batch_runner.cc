#include "worker/schedule/batch_runner.h"

#include <algorithm>
#include <utility>

#include "crds/base/failpoint.h"
#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/coordination/state_shape.h"
#include "worker/schedule/batch_planner.h"
#include "worker/schedule/poison.h"

namespace millrace::worker {
namespace {

Duration Since(MonotonicTime begin, const Clock& clock) { return clock.Monotonic() - begin; }

}  // namespace

BatchRunner::BatchRunner(JobParts* parts, JobListener* listener)
    : parts_(parts),
      listener_(listener),
      executor_(&parts->plan.graph, parts->pool.get()),
      delivery_(parts),
      event_times_(parts->job->spec.sources.size()) {}

Status BatchRunner::Recover(const JobRecord& record, bool edited) {
  commit_ = record.commit;
  generation_ = record.generation;
  std::vector<std::string> kept;
  RETURN_IF_ERROR(CheckShape(record, &kept));
  for (size_t stage = 0; stage < parts_->plan.graph.stages.size(); ++stage) {
    const StageSpec& spec = parts_->plan.graph.stages[stage];
    if (std::find(kept.begin(), kept.end(), spec.id) == kept.end()) continue;
    for (int unit = 0; unit < spec.units; ++unit)
      RETURN_IF_ERROR(RestoreUnit(static_cast<int>(stage), unit));
  }
  RETURN_IF_ERROR(parts_->tables->Restore(parts_->coordinator->state()));
  RETURN_IF_ERROR(DropState(kept));
  return OpenSinks(record, edited);
}

Status BatchRunner::OpenSinks(const JobRecord& record, bool edited) {
  for (size_t i = 0; i < parts_->sinks.size(); ++i) {
    Sink* sink = parts_->sinks[i].get();
    const std::string name = "sink \"" + parts_->job->spec.sinks[i].name + "\"";
    if (!edited && commit_.batch > 0) sink->ExpectHistory();
    Result<SinkLedger> ledger = OpenSink(sink);
    if (!ledger.ok()) return ledger.status().WithContext(name);
    if (ledger->batch < commit_.batch || ledger->batch == 0) continue;
    if (ledger->batch == commit_.batch) {
      RETURN_IF_ERROR(CheckHistory(name, *ledger));
      continue;
    }
    RETURN_IF_ERROR(CheckAhead(name, ledger->batch, record, edited));
    sink->Skip(*ledger);
  }
  return OkStatus();
}

Result<SinkLedger> BatchRunner::OpenSink(Sink* sink) {
  SinkSeat seat = SoleSeat(generation_, commit_.batch);
  RETURN_IF_ERROR(sink->Open(seat));
  ASSIGN_OR_RETURN(SinkLedger ledger, sink->ReadLedger());
  if (ledger.slots > seat.max_slots) {  // several processes wrote it once: fence them all
    seat.max_slots = static_cast<int>(ledger.slots);
    RETURN_IF_ERROR(sink->Open(seat));
    ASSIGN_OR_RETURN(ledger, sink->ReadLedger());
  }
  if (commit_.batch > 0) RETURN_IF_ERROR(sink->Committed(commit_.batch));
  return ledger;
}

Status BatchRunner::CheckHistory(const std::string& sink, const SinkLedger& ledger) const {
  const std::string known = HexEncode(commit_.digest);
  if (known.starts_with(ledger.digest)) return OkStatus();
  return InternalError(
      "StateRolledBack: " + sink + " holds batch " + std::to_string(ledger.batch) +
      " with digest " + ledger.digest + ", the state knows it with digest " + known +
      "; restore the state that belongs to the output, or give the job a new one and new outputs");
}

// Whether a sink may hold output beyond the commit.
Status BatchRunner::CheckAhead(const std::string& sink, int64_t delivered, const JobRecord& record,
                               bool edited) const {
  const std::string found = sink + " holds output of batch " + std::to_string(delivered);
  if (!record.pending || delivered > commit_.batch + 1) {
    return InternalError("StateRolledBack: " + found + ", but the state knows only up to batch " +
                         std::to_string(commit_.batch) +
                         "; restore the newer state, or give the job a new output path");
  }
  if (!edited) return OkStatus();
  return InvalidError("UpgradeBlocked: " + found +
                      ", which the job's previous version did not finish; run the previous job "
                      "file once (--batches 1), then this one");
}

// Which stages keep their state: those whose shape is as it was.
Status BatchRunner::CheckShape(const JobRecord& record, std::vector<std::string>* kept) {
  const ShapeChange change = CompareShapes(record.shape, parts_->plan.shape);
  *kept = change.kept;
  if (record.first_run || change.lost.empty() || commit_.batch == 0 ||
      parts_->job->spec.upgrade.allow_state_loss)
    return OkStatus();
  return InvalidError(LossText(change));
}

// Clears stored state that no stage of this spec takes over, with the next commit.
Status BatchRunner::DropState(const std::vector<std::string>& kept) {
  StateLog& log = parts_->coordinator->state();
  for (const auto& [stage, unit] : log.Units()) {
    if (stage.starts_with("table.") || std::find(kept.begin(), kept.end(), stage) != kept.end())
      continue;
    RETURN_IF_ERROR(log.PutSnapshot(stage, unit, ""));
  }
  return OkStatus();
}

Status BatchRunner::RestoreUnit(int stage, int unit) {
  StageSpec& spec = parts_->plan.graph.stages[stage];
  if (!spec.logic->stateful()) return spec.logic->Restore(unit, {}, {});
  ASSIGN_OR_RETURN(const UnitBlobs blobs, parts_->coordinator->state().Load(spec.id, unit));
  const Status status = spec.logic->Restore(unit, blobs.snapshot, blobs.deltas);
  return status.ok()
             ? status
             : status.WithContext("state of " + spec.id + ", key group " + std::to_string(unit));
}

BatchContext BatchRunner::ContextOf(const BatchPlan& plan) const {
  BatchContext context;
  context.batch = plan.batch;
  context.batch_time = plan.batch_time;
  context.previous_batch_time = commit_.batch_time;
  context.final = plan.final;
  for (const PlannedSource& source : plan.sources) {
    context.watermarks.push_back(source.watermark);
    const auto it = commit_.sources.find(source.name);
    context.previous_watermarks.push_back(it == commit_.sources.end() ? TimePoint::min()
                                                                      : it->second.watermark);
  }
  return context;
}

bool BatchRunner::HasWork(const BatchContext& context) const {
  for (const StageSpec& stage : parts_->plan.graph.stages) {
    if (!stage.logic->stateful()) continue;
    for (int unit = 0; unit < stage.units; ++unit) {
      if (stage.logic->HasWork(context, unit)) return true;
    }
  }
  return false;
}

Status BatchRunner::Prepare(const BatchPlan& plan) {
  RETURN_IF_ERROR(
      parts_->tables->Select(plan.table_versions, *parts_->coordinator, parts_->plan.tables.get()));
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

Result<BatchInfo> BatchRunner::Run(BatchPlan plan, double rate, std::stop_token stop) {
  rate_ = rate;
  for (int64_t attempt = 1;; ++attempt) {
    BatchInfo info;
    info.attempts = static_cast<int>(attempt);
    const Status status = Attempt(plan, &info);
    if (status.ok()) {
      RETURN_IF_ERROR(Announce(stop));
      info.plan = std::move(plan);
      return info;
    }
    listener_->OnBatchFailed(plan.batch, static_cast<int>(attempt), status);
    RETURN_IF_ERROR(AfterFailure(status, attempt, &plan, stop));
  }
}

// Sleeps as restartPolicy says; the failure itself at its limit, kAborted when stopped.
Status BatchRunner::WaitAfter(const Status& failure, int64_t attempt, int64_t batch,
                              const std::stop_token& stop) {
  const api::RestartPolicy& restarts = parts_->job->spec.restart_policy;
  if (restarts.max_restarts && attempt > *restarts.max_restarts) return failure;
  const auto doublings = std::min<int64_t>(attempt - 1, 20);
  const Duration wait =
      std::min(restarts.backoff_base * (int64_t{1} << doublings), restarts.backoff_cap);
  Log(LogLevel::kWarn, "batch failed, trying again",
      {{"batch", std::to_string(batch)},
       {"wait", FormatDuration(wait)},
       {"error", failure.message()}});
  return parts_->clock->SleepFor(wait, stop)
             ? OkStatus()
             : AbortedError("stopped while batch " + std::to_string(batch) +
                            " was failing: " + failure.message());
}

// Decides whether a failed batch is tried again; the failure when it is not.
Status BatchRunner::AfterFailure(const Status& failure, int64_t attempt, BatchPlan* plan,
                                 const std::stop_token& stop) {
  if (failure.retryable()) return WaitAfter(failure, attempt, plan->batch, stop);
  const api::PoisonBatch& poison = parts_->job->spec.poison_batch;
  if (failure.code() != StatusCode::kInvalid) return failure;
  if (attempt < poison.attempts) return OkStatus();
  Status cause = failure;
  if (poison.action == api::PoisonBatch::Action::kBisect && plan->exclusions.empty()) {
    ASSIGN_OR_RETURN(const PoisonSearch search, Bisector(this).Search(*plan, failure));
    if (search.state() == PoisonSearch::State::kFound) {
      *plan = search.plan();
      return parts_->coordinator->AppendPlan(*plan);
    }
    cause = search.failure();
  }
  return InvalidError("batch " + std::to_string(plan->batch) + " failed " +
                      std::to_string(attempt) + (attempt == 1 ? " time: " : " times: ") +
                      cause.message());
}

Status BatchRunner::Attempt(const BatchPlan& plan, BatchInfo* info) {
  RETURN_IF_ERROR(Prepare(plan));
  const MonotonicTime begin = parts_->clock->Monotonic();
  BatchRun run = executor_.Begin(ContextOf(plan));
  Status status = executor_.RunStages(0, parts_->plan.first_dead_letter_stage, &run);
  info->compute = Since(begin, *parts_->clock);
  if (status.ok()) status = Output(plan, &run, info);
  const MonotonicTime computed = parts_->clock->Monotonic();
  if (status.ok()) status = PutState(run);
  if (status.ok()) status = CommitBatch(plan, run);
  if (!status.ok()) {
    Undo(run);
    return status;
  }
  info->commit = Since(computed, *parts_->clock);
  info->processing_delay = Since(begin, *parts_->clock);
  FillInfo(run, info);
  return OkStatus();
}

Status BatchRunner::Output(const BatchPlan& plan, BatchRun* run, BatchInfo* info) {
  const MonotonicTime begin = parts_->clock->Monotonic();
  Failpoint("run.computed");
  // From the first output on the plan must be a fact.
  const bool dead_letters = parts_->plan.dead_letter_edge >= 0;
  if (Delivery::HasOutput(*run) || dead_letters) RETURN_IF_ERROR(parts_->coordinator->SyncPlan());
  const SinkBatch batch{plan.batch, plan.batch_time, generation_,
                        HexEncode(parts_->coordinator->plan_digest())};
  RETURN_IF_ERROR(delivery_.DeliverWave(false, batch, run, info));
  const int stages = static_cast<int>(parts_->plan.graph.stages.size());
  RETURN_IF_ERROR(executor_.RunStages(parts_->plan.first_dead_letter_stage, stages, run));
  RETURN_IF_ERROR(delivery_.DeliverWave(true, batch, run, info));
  Failpoint("run.delivered");
  info->output = Since(begin, *parts_->clock);
  return delivery_.ApplyTables(*run);
}

Status BatchRunner::PutState(const BatchRun& run) {
  struct Blob {
    int stage;
    int unit;
    bool snapshot;
    std::string bytes;
    Status status;
  };
  StateLog& log = parts_->coordinator->state();
  std::vector<Blob> blobs;
  for (size_t stage = 0; stage < run.ran.size(); ++stage) {
    const StageSpec& spec = parts_->plan.graph.stages[stage];
    if (!spec.logic->stateful()) continue;
    for (const int unit : run.ran[stage])
      blobs.push_back({static_cast<int>(stage), unit, log.WantsSnapshot(spec.id, unit), {}, {}});
  }
  parts_->pool->ParallelFor(blobs.size(), [&](size_t i) {
    Blob& blob = blobs[i];
    StageLogic& logic = *parts_->plan.graph.stages[blob.stage].logic;
    blob.status = blob.snapshot ? logic.EncodeSnapshot(blob.unit, &blob.bytes)
                                : logic.EncodeDelta(blob.unit, &blob.bytes);
  });
  for (const Blob& blob : blobs) {
    RETURN_IF_ERROR(blob.status);
    const std::string& id = parts_->plan.graph.stages[blob.stage].id;
    if (blob.snapshot)
      RETURN_IF_ERROR(log.PutSnapshot(id, blob.unit, blob.bytes));
    else if (!blob.bytes.empty())
      RETURN_IF_ERROR(log.PutDelta(id, blob.unit, blob.bytes));
  }
  RETURN_IF_ERROR(parts_->tables->PutState(&log));
  Failpoint("state.put");
  return OkStatus();
}

Status BatchRunner::CommitBatch(const BatchPlan& plan, const BatchRun& run) {
  std::vector<std::map<int, TimePoint>> event_times =
      EventTimesOf(parts_->plan.graph, plan.sources.size(), run);
  CommitPoint next = CommitAfter(commit_, plan, event_times);
  next.digest = parts_->coordinator->plan_digest();
  next.generation = generation_;
  next.rate = rate_;
  RETURN_IF_ERROR(parts_->coordinator->Commit(next));
  commit_ = std::move(next);
  event_times_ = std::move(event_times);
  for (size_t stage = 0; stage < run.ran.size(); ++stage) {
    for (const int unit : run.ran[stage]) parts_->plan.graph.stages[stage].logic->Settle(unit);
  }
  parts_->tables->Settle();
  return OkStatus();
}

// The batch is final here: a sink that cannot show it now is asked again, and nothing is undone.
Status BatchRunner::Announce(const std::stop_token& stop) {
  for (size_t i = 0; i < parts_->sinks.size(); ++i) {
    for (int64_t attempt = 1;; ++attempt) {
      Status status = parts_->sinks[i]->Committed(commit_.batch);
      if (status.ok()) break;
      status = status.WithContext("sink \"" + parts_->job->spec.sinks[i].name + "\" after commit");
      if (!status.retryable()) return status;
      RETURN_IF_ERROR(WaitAfter(status, attempt, commit_.batch, stop));
    }
  }
  Failpoint("run.committed");
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    if (parts_->sources[i] == nullptr) continue;
    const CommittedSource& source = commit_.sources[parts_->job->spec.sources[i].name];
    parts_->sources[i]->Committed({source.cursor, source.offsets});
  }
  return OkStatus();
}

void BatchRunner::Undo(const BatchRun& run) {
  parts_->coordinator->Discard();
  for (size_t stage = 0; stage < run.ran.size(); ++stage) {
    for (const int unit : run.ran[stage]) {
      if (const Status status = RestoreUnit(static_cast<int>(stage), unit); !status.ok()) {
        Log(LogLevel::kError, "state could not be restored", {{"error", status.message()}});
      }
    }
  }
  if (const Status status = parts_->tables->Restore(parts_->coordinator->state()); !status.ok()) {
    Log(LogLevel::kError, "stream tables could not be restored", {{"error", status.message()}});
  }
}

void BatchRunner::FillInfo(const BatchRun& run, BatchInfo* info) const {
  info->stages = run.stages;
  info->state_bytes = parts_->coordinator->state().committed_bytes();
  for (size_t stage = 0; stage < run.stages.size(); ++stage) {
    const TaskReport& total = run.stages[stage].total;
    info->late_records += total.late_records;
    info->expired_keys += total.expired_keys;
    info->bad_records += total.bad_records;
    const auto* input =
        dynamic_cast<const InputStage*>(parts_->plan.graph.stages[stage].logic.get());
    if (input == nullptr) continue;
    info->input_records += total.input_records;
    info->input_bytes += total.input_bytes;
    info->input_by_source[input->spec().name] += total.input_records;
  }
  for (const auto& [sink, rows] : info->output_by_sink) info->output_records += rows;
}

}  // namespace millrace::worker
