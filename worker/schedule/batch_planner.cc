#include "worker/schedule/batch_planner.h"

#include <algorithm>
#include <utility>

#include "crds/api/edit_class.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

// Part of every spec hash: replays across a change of meaning are refused by a new number.
constexpr std::string_view kSemanticsVersion = "1";

std::vector<WatermarkConfig> WatermarkConfigs(const api::StreamingJob& job) {
  std::vector<WatermarkConfig> configs;
  for (const api::Source& source : job.spec.sources) {
    WatermarkConfig config;
    if (source.event_time) {
      config = {true, source.event_time->watermark_delay, source.event_time->idle_timeout,
                !std::holds_alternative<api::FileSource>(source.kind)};
    }
    configs.push_back(config);
  }
  return configs;
}

}  // namespace

std::string SpecHashOf(const api::StreamingJob& job) {
  return HexEncode(Sha256(std::string(kSemanticsVersion) + "\n" + job.metadata.ns + "\n" +
                          job.metadata.name + "\n" + api::WorkText(job.spec)));
}

BatchPlanner::BatchPlanner(JobParts* parts, std::string spec_hash)
    : parts_(parts),
      spec_hash_(std::move(spec_hash)),
      rates_(parts->job->spec.backpressure, parts->job->spec.batch_interval),
      watermarks_(WatermarkConfigs(*parts->job)),
      timer_(parts->job->spec.batch_interval, parts->job->spec.missed_batches, TimePoint::min()) {}

void BatchPlanner::Resume(const CommitPoint& commit) {
  sources_ = commit.sources;
  watermarks_ = WatermarkTracker(WatermarkConfigs(*parts_->job));
  const MonotonicTime now = parts_->clock->Monotonic();
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    const auto it = sources_.find(parts_->job->spec.sources[i].name);
    if (it != sources_.end())
      watermarks_.Resume(static_cast<int>(i), it->second.max_event_times, it->second.watermark,
                         now);
  }
  rates_.Resume(commit.rate);
  timer_ = BatchTimer(parts_->job->spec.batch_interval, parts_->job->spec.missed_batches,
                      commit.batch_time);
  timer_.SkipTo(
      parts_->clock
          ->Now());  // down-time is one missed tick: all windows that ended meanwhile fire in it
}

void BatchPlanner::Retune() {
  const api::StreamingJobSpec& spec = parts_->job->spec;
  rates_.Configure(spec.backpressure, spec.batch_interval);
  timer_ = BatchTimer(spec.batch_interval, spec.missed_batches, timer_.last());
}

SourcePosition BatchPlanner::PositionOf(const std::string& source) const {
  const auto it = sources_.find(source);
  return it == sources_.end() ? SourcePosition{}
                              : SourcePosition{it->second.cursor, it->second.offsets};
}

int BatchPlanner::Partitions() const {
  int partitions = 0;
  for (const std::unique_ptr<Source>& source : parts_->sources) {
    if (source != nullptr) partitions += source->num_partitions();
  }
  return std::max(1, partitions);
}

Status BatchPlanner::Offer(size_t index, int64_t limit, PlanDraft* draft) {
  const api::Source& spec = parts_->job->spec.sources[index];
  Source& source = *parts_->sources[index];
  const SourcePosition position = PositionOf(spec.name);
  OfferRequest request{&position, draft->plan.batch_time, 0, 0};
  if (limit > 0)
    request.max_records = std::max<int64_t>(1, limit * source.num_partitions() / Partitions());
  if (spec.max_rate_per_partition) {
    const double seconds = std::chrono::duration<double>(parts_->job->spec.batch_interval).count();
    request.max_records_per_partition = std::max<int64_t>(
        1, static_cast<int64_t>(static_cast<double>(*spec.max_rate_per_partition) * seconds));
  }
  Result<SourceOffer> offer = source.Offer(request);
  if (!offer.ok()) return offer.status().WithContext("source \"" + spec.name + "\"");
  PlannedSource& planned = draft->plan.sources.back();
  planned.cursor = std::move(offer->cursor);
  draft->idle = draft->idle && offer->ranges.empty() && !offer->must_commit;
  draft->ended = draft->ended && offer->ended;
  if (offer->lag_records >= 0)
    draft->lag_records = std::max<int64_t>(draft->lag_records, 0) + offer->lag_records;
  watermarks_.KnowPartitions(static_cast<int>(index), source.num_partitions(),
                             parts_->clock->Monotonic());
  for (PartitionRange& range : offer->ranges) {
    planned.ranges.push_back({range.partition, std::move(range.from), std::move(range.to),
                              std::move(range.proof), range.records});
  }
  return OkStatus();
}

Result<PlanDraft> BatchPlanner::Draft(int64_t batch) {
  PlanDraft draft;
  draft.idle = draft.ended = true;
  draft.plan.batch = batch;
  draft.plan.spec_hash = spec_hash_;
  draft.plan.batch_time = timer_.Next(parts_->clock->Now());
  const int64_t limit = rates_.MaxRecords(Partitions());
  for (size_t i = 0; i < parts_->sources.size(); ++i) {
    draft.plan.sources.emplace_back().name = parts_->job->spec.sources[i].name;
    if (parts_->sources[i] != nullptr) RETURN_IF_ERROR(Offer(i, limit, &draft));
  }
  const std::vector<TimePoint> watermarks = watermarks_.Next(parts_->clock->Monotonic());
  for (size_t i = 0; i < draft.plan.sources.size(); ++i)
    draft.plan.sources[i].watermark = watermarks[i];
  return draft;
}

void BatchPlanner::Planned(const BatchPlan& plan) {
  for (const PlannedSource& planned : plan.sources) {
    CommittedSource& source = sources_[planned.name];
    source.cursor = planned.cursor;
    for (const PlannedRange& range : planned.ranges) source.offsets[range.partition] = range.to;
  }
  timer_.Ran(plan.batch_time);
}

TimePoint BatchPlanner::SkipToLatest() {
  const TimePoint now = parts_->clock->Now();
  timer_.SkipTo(now);
  return timer_.Next(now);
}

void BatchPlanner::Committed(const std::vector<std::map<int, TimePoint>>& event_times,
                             int64_t records, Duration processing, Duration scheduling) {
  const MonotonicTime now = parts_->clock->Monotonic();
  for (size_t i = 0; i < event_times.size(); ++i) {
    for (const auto& [partition, time] : event_times[i])
      watermarks_.Observe(static_cast<int>(i), partition, time, now);
  }
  rates_.Update(parts_->clock->Now(), records, processing, scheduling);
}

std::vector<std::map<int, TimePoint>> EventTimesOf(const JobGraph& graph, size_t sources,
                                                   const BatchRun& run) {
  std::vector<std::map<int, TimePoint>> event_times(sources);
  for (size_t stage = 0; stage < graph.stages.size(); ++stage) {
    const auto* input = dynamic_cast<const InputStage*>(graph.stages[stage].logic.get());
    if (input == nullptr) continue;
    for (const int unit : run.ran[stage]) {
      event_times[input->spec().source_index][unit] = run.reports[stage][unit].max_event_time;
    }
  }
  return event_times;
}

CommitPoint CommitAfter(const CommitPoint& before, const BatchPlan& plan,
                        const std::vector<std::map<int, TimePoint>>& event_times) {
  CommitPoint next = before;
  next.batch = plan.batch;
  next.batch_time = plan.batch_time;
  next.completed = plan.final;
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    const PlannedSource& planned = plan.sources[i];
    CommittedSource& source = next.sources[planned.name];
    source.cursor = planned.cursor;
    source.watermark = planned.watermark;
    for (const PlannedRange& range : planned.ranges) source.offsets[range.partition] = range.to;
    if (i >= event_times.size()) continue;
    for (const auto& [partition, time] : event_times[i]) {
      if (time == TimePoint::min()) continue;
      TimePoint& known = source.max_event_times.try_emplace(partition, time).first->second;
      known = std::max(known, time);
    }
  }
  return next;
}

}  // namespace millrace::worker
