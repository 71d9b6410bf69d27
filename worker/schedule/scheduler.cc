#include "worker/schedule/scheduler.h"

#include <algorithm>
#include <utility>

#include "crds/api/codec.h"
#include "crds/base/text.h"
#include "worker/source/factory.h"

namespace millrace::worker {
namespace {

// Part of every spec hash: replays across a change of meaning are refused by a new number.
constexpr std::string_view kSemanticsVersion = "1";

std::vector<WatermarkConfig> WatermarkConfigs(const api::StreamingJob& job) {
  std::vector<WatermarkConfig> configs;
  for (const api::Source& source : job.spec.sources) {
    WatermarkConfig config;
    if (source.event_time) {
      config = {true, source.event_time->watermark_delay, source.event_time->idle_timeout, !std::holds_alternative<api::FileSource>(source.kind)};
    }
    configs.push_back(config);
  }
  return configs;
}

}  // namespace

Scheduler::Scheduler(JobParts* parts, SchedulerOptions options, JobListener* listener)
    : parts_(parts), options_(options), listener_(listener), runner_(parts, listener),
      rates_(parts->job->spec.backpressure, parts->job->spec.batch_interval),
      watermarks_(WatermarkConfigs(*parts->job)),
      spec_hash_(HexEncode(Sha256(std::string(kSemanticsVersion) + api::ToJson(*parts->job)))) {}

Status Scheduler::Open() {
  JobRecord record = parts_->record;
  RETURN_IF_ERROR(parts_->tables->Start());
  const bool edited = record.spec_hash != spec_hash_;
  RETURN_IF_ERROR(runner_.Recover(record, edited));
  if (edited) record.pending.reset();  // it has no output yet, so it may be planned anew
  completed_ = record.commit.completed && !edited;
  RETURN_IF_ERROR(parts_->coordinator->SetSpec(spec_hash_, parts_->plan.shape));
  const MonotonicTime now = parts_->clock->Monotonic();
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    const std::string& name = parts_->job->spec.sources[i].name;
    if (const auto it = record.commit.sources.find(name); it != record.commit.sources.end()) {
      watermarks_.Resume(static_cast<int>(i), it->second.max_event_times, it->second.watermark, now);
    }
    if (parts_->sources[i] == nullptr) continue;
    const Status status = parts_->sources[i]->Start(PositionOf(name));
    if (!status.ok()) return status.WithContext("source \"" + name + "\"");
  }
  rates_.Resume(record.commit.rate);
  pending_ = std::move(record.pending);
  timer_.emplace(parts_->job->spec.batch_interval, parts_->job->spec.missed_batches, record.commit.batch_time);
  timer_->SkipTo(parts_->clock->Now());  // down-time is one missed tick: all windows that ended meanwhile fire in it
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
  due_ = now + timer_->UntilDue(parts_->clock->Now());
  if (options_.until_idle) due_ = std::min(due_, last_input_ + *options_.until_idle);
  return due_ <= now || parts_->clock->SleepUntil(due_, stop);
}

SourcePosition Scheduler::PositionOf(const std::string& source) const {
  const auto it = runner_.commit().sources.find(source);
  return it == runner_.commit().sources.end() ? SourcePosition{} : SourcePosition{it->second.cursor, it->second.offsets};
}

int Scheduler::Partitions() const {
  int partitions = 0;
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    if (parts_->sources[i] != nullptr) partitions += parts_->sources[i]->num_partitions();
  }
  return std::max(1, partitions);
}

// Fills the plan's ranges; returns whether every source has ended behind them.
Result<bool> Scheduler::CollectOffers(BatchPlan* plan) {
  const int partitions = Partitions();
  const int64_t limit = rates_.MaxRecords(partitions);
  const double seconds = std::chrono::duration<double>(parts_->job->spec.batch_interval).count();
  bool ended = true;
  lag_records_ = -1;
  must_commit_ = false;
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    const api::Source& spec = parts_->job->spec.sources[i];
    PlannedSource& planned = plan->sources.emplace_back();
    planned.name = spec.name;
    if (parts_->sources[i] == nullptr) continue;
    const SourcePosition position = PositionOf(spec.name);
    OfferRequest request{&position, plan->batch_time, 0, 0};
    if (limit > 0) request.max_records = std::max<int64_t>(1, limit * parts_->sources[i]->num_partitions() / partitions);
    if (spec.max_rate_per_partition) {
      request.max_records_per_partition = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(*spec.max_rate_per_partition) * seconds));
    }
    Result<SourceOffer> offer = parts_->sources[i]->Offer(request);
    if (!offer.ok()) return offer.status().WithContext("source \"" + spec.name + "\"");
    planned.cursor = std::move(offer->cursor);
    must_commit_ = must_commit_ || offer->must_commit;
    watermarks_.KnowPartitions(static_cast<int>(i), parts_->sources[i]->num_partitions(), parts_->clock->Monotonic());
    ended = ended && offer->ended;
    if (offer->lag_records >= 0) lag_records_ = std::max<int64_t>(lag_records_, 0) + offer->lag_records;
    for (PartitionRange& range : offer->ranges) {
      planned.ranges.push_back({range.partition, std::move(range.from), std::move(range.to), std::move(range.proof), range.records});
    }
  }
  return ended;
}

Result<std::optional<BatchPlan>> Scheduler::PlanNext() {
  const TimePoint now = parts_->clock->Now();
  BatchPlan plan;
  plan.batch = runner_.commit().batch + 1;
  plan.spec_hash = spec_hash_;
  plan.batch_time = timer_->Next(now);
  ASSIGN_OR_RETURN(const bool ended, CollectOffers(&plan));
  const bool idle = plan.empty() && !must_commit_;
  plan.final = ended && idle;
  ended_ = ended;
  const std::vector<TimePoint> watermarks = watermarks_.Next(parts_->clock->Monotonic());
  for (size_t i = 0; i < plan.sources.size(); ++i) plan.sources[i].watermark = watermarks[i];
  if (idle && !plan.final) {
    // Nothing arrived in the ticks that were missed: go to the latest, where windows may close.
    timer_->SkipTo(now);
    plan.batch_time = timer_->Next(now);
    if (!runner_.HasWork(runner_.ContextOf(plan))) {
      timer_->Ran(plan.batch_time);
      listener_->OnIdle(lag_records_);
      Report();
      return std::optional<BatchPlan>();
    }
  }
  ASSIGN_OR_RETURN(plan.table_versions, parts_->tables->Pin(parts_->coordinator.get()));
  return std::optional<BatchPlan>(std::move(plan));
}

Status Scheduler::RunPlanned(const BatchPlan& plan, std::stop_token stop) {
  listener_->OnBatchPlanned(plan);
  const MonotonicTime begin = parts_->clock->Monotonic();
  ASSIGN_OR_RETURN(BatchInfo info, runner_.Run(plan, rates_.rate().value_or(0), stop));
  const MonotonicTime end = parts_->clock->Monotonic();
  info.scheduling_delay = std::max(Duration::zero(), begin - due_);
  for (size_t i = 0; i < runner_.event_times().size(); ++i) {
    for (const auto& [partition, time] : runner_.event_times()[i]) watermarks_.Observe(static_cast<int>(i), partition, time, end);
  }
  rates_.Update(parts_->clock->Now(), info.input_records, info.processing_delay, info.scheduling_delay);
  info.rate = rates_.rate().value_or(0);
  info.lag_records = lag_records_;
  timer_->Ran(plan.batch_time);
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
    if (parts_->sources[i] != nullptr) listener_->OnProgress(name, parts_->sources[i]->Progress(PositionOf(name)));
  }
  for (size_t i = 0; i < parts_->sinks.size(); ++i) {
    listener_->OnTransactions(parts_->job->spec.sinks[i].name, parts_->sinks[i]->TakeTransactions());
  }
}

}  // namespace millrace::worker
