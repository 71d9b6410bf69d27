#include "worker/schedule/scheduler.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {

Scheduler::Scheduler(JobParts* parts, SchedulerOptions options, JobListener* listener)
    : parts_(parts),
      options_(options),
      listener_(listener),
      runner_(parts, listener),
      spec_hash_(SpecHashOf(*parts->job)),
      planner_(parts, spec_hash_) {}

Status Scheduler::Open() {
  JobRecord record = parts_->record;
  RETURN_IF_ERROR(parts_->tables->Start());
  const bool edited = record.spec_hash != spec_hash_;
  RETURN_IF_ERROR(runner_.Recover(record, edited));
  if (edited) record.pending.reset();  // it has no output yet, so it may be planned anew
  completed_ = record.commit.completed && !edited;
  RETURN_IF_ERROR(parts_->coordinator->SetSpec(spec_hash_, parts_->plan.shape));
  planner_.Resume(record.commit);
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    const std::string& name = parts_->job->spec.sources[i].name;
    if (parts_->sources[i] == nullptr) continue;
    const Status status = parts_->sources[i]->Start(planner_.PositionOf(name));
    if (!status.ok()) return status.WithContext("source \"" + name + "\"");
  }
  pending_ = std::move(record.pending);
  last_input_ = due_ = parts_->clock->Monotonic();  // starting a source may take a while
  return OkStatus();
}

Status Scheduler::Run(std::stop_token stop) {
  RETURN_IF_ERROR(Open());
  Status status;
  while (status.ok() && !completed_ && !stop.stop_requested() && !LimitReached()) {
    if (!pending_) {
      Result<std::optional<BatchPlan>> plan = PlanNext();
      if (!plan.ok()) {
        status = plan.status();
        break;
      }
      pending_ = *std::move(plan);
      if (pending_) status = parts_->coordinator->AppendPlan(*pending_);
    } else {
      status = parts_->coordinator->AppendPlan(*pending_);
    }
    if (pending_ && status.ok()) {
      const BatchPlan plan = *std::exchange(pending_, std::nullopt);
      status = RunPlanned(plan, stop);
    }
    if (!status.ok() || completed_ || (ended_ && !pending_)) continue;
    if (!WaitForTick(stop)) break;
  }
  for (const std::unique_ptr<Source>& source : parts_->sources) {
    if (source != nullptr) source->Stop();
  }
  if (status.code() == StatusCode::kAborted && stop.stop_requested()) return OkStatus();
  return status;
}

bool Scheduler::LimitReached() const {
  if (options_.max_batches && batches_ >= *options_.max_batches) return true;
  return options_.until_idle && parts_->clock->Monotonic() - last_input_ >= *options_.until_idle;
}

// Sleeps until the next tick is due, or the idle limit; false when stopped.
bool Scheduler::WaitForTick(const std::stop_token& stop) {
  const MonotonicTime now = parts_->clock->Monotonic();
  due_ = now + planner_.UntilDue();
  if (options_.until_idle) due_ = std::min(due_, last_input_ + *options_.until_idle);
  return due_ <= now || parts_->clock->SleepUntil(due_, stop);
}

Result<std::optional<BatchPlan>> Scheduler::PlanNext() {
  ASSIGN_OR_RETURN(PlanDraft draft, planner_.Draft(runner_.commit().batch + 1));
  BatchPlan& plan = draft.plan;
  lag_records_ = draft.lag_records;
  ended_ = draft.ended;
  plan.final = draft.ended && draft.idle;
  if (draft.idle && !plan.final) {
    plan.batch_time = planner_.SkipToLatest();
    if (!runner_.HasWork(runner_.ContextOf(plan))) {
      planner_.Passed(plan.batch_time);
      listener_->OnIdle(lag_records_);
      return std::optional<BatchPlan>();
    }
  }
  ASSIGN_OR_RETURN(plan.table_versions, parts_->tables->Pin(parts_->coordinator.get()));
  return std::optional<BatchPlan>(std::move(plan));
}

Status Scheduler::RunPlanned(const BatchPlan& plan, std::stop_token stop) {
  listener_->OnBatchPlanned(plan);
  const MonotonicTime begin = parts_->clock->Monotonic();
  ASSIGN_OR_RETURN(BatchInfo info, runner_.Run(plan, planner_.rate(), stop));
  const MonotonicTime end = parts_->clock->Monotonic();
  info.scheduling_delay = std::max(Duration::zero(), begin - due_);
  planner_.Planned(plan);
  planner_.Committed(runner_.event_times(), info.input_records, info.processing_delay,
                     info.scheduling_delay);
  info.rate = planner_.rate();
  info.lag_records = lag_records_;
  ++batches_;
  if (info.input_records > 0) last_input_ = end;
  completed_ = plan.final;
  listener_->OnBatchCommitted(info);
  Report();
  return OkStatus();
}

// Tells the listener how far sources are read and what sinks' transactions did.
void Scheduler::Report() {
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    const std::string& name = parts_->job->spec.sources[i].name;
    if (parts_->sources[i] != nullptr)
      listener_->OnProgress(name, parts_->sources[i]->Progress(planner_.PositionOf(name)));
  }
  for (size_t i = 0; i < parts_->sinks.size(); ++i) {
    listener_->OnTransactions(parts_->job->spec.sinks[i].name,
                              parts_->sinks[i]->TakeTransactions());
  }
}

}  // namespace millrace::worker
