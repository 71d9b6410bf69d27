#include "worker/schedule/cluster/cluster_plan_maker.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "crds/base/wire.h"

namespace millrace::worker {
namespace {

std::string SourceField(const CommittedSource& source) {
  std::string bytes;
  WireWriter out(&bytes);
  out.Bytes(source.cursor);
  out.I64(source.watermark.time_since_epoch().count());
  return bytes;
}

std::string PartitionField(const CommittedSource& source, int partition) {
  std::string bytes;
  WireWriter out(&bytes);
  const auto offset = source.offsets.find(partition);
  const auto time = source.max_event_times.find(partition);
  out.Bytes(offset == source.offsets.end() ? std::string() : offset->second);
  out.I64((time == source.max_event_times.end() ? TimePoint::min() : time->second)
              .time_since_epoch()
              .count());
  return bytes;
}

Status ReadField(const std::string& field, const std::string& value, CommitPoint* commit) {
  WireReader in(value);
  if (field.starts_with("s:")) {
    CommittedSource& source = commit->sources[field.substr(2)];
    source.cursor = in.Bytes();
    source.watermark = TimePoint(Duration(in.I64()));
    return in.Finish("source position");
  }
  const size_t slash = field.rfind('/');
  int partition = -1;
  if (field.starts_with("p:") && slash != std::string::npos) {
    (void)std::from_chars(field.data() + slash + 1, field.data() + field.size(), partition);
  }
  if (partition < 0) return InternalError("StateLost: unknown offset field " + field);
  CommittedSource& source = commit->sources[field.substr(2, slash - 2)];
  source.offsets[partition] = in.Bytes();
  const TimePoint time(Duration(in.I64()));
  if (time != TimePoint::min()) source.max_event_times[partition] = time;
  return in.Finish("partition position");
}

}  // namespace

Result<CommitPoint> CommitPointOf(const CommitHead& head,
                                  const std::map<std::string, std::string>& offsets) {
  CommitPoint commit;
  if (!head.record.empty()) {
    ASSIGN_OR_RETURN(commit, DecodeCommit(head.record));
  }
  for (const auto& [field, value] : offsets) RETURN_IF_ERROR(ReadField(field, value, &commit));
  commit.batch = head.batch;
  commit.digest = head.digest;
  commit.generation = head.generation;
  return commit;
}

ClusterPlanMaker::ClusterPlanMaker(JobParts* parts, TableVersions* tables, JobListener* listener)
    : parts_(parts),
      tables_(tables),
      listener_(listener),
      spec_hash_(SpecHashOf(*parts->job)),
      planner_(parts, spec_hash_) {}

Status ClusterPlanMaker::Resume(const CommitHead& commit,
                                const std::map<std::string, std::string>& offsets) {
  ASSIGN_OR_RETURN(commit_, CommitPointOf(commit, offsets));
  planner_.Resume(commit_);
  planned_.clear();
  due_ = parts_->clock->Monotonic();
  holds_state_ = true;
  // A job that was completed and then edited has work again.
  if (commit.spec_hash != spec_hash_) commit_.completed = false;
  completed_ = final_planned_ = commit_.completed;
  return OkStatus();
}

void ClusterPlanMaker::Retune() {
  planner_.Retune();
  if (!final_planned_) due_ = parts_->clock->Monotonic() + planner_.UntilDue();
}

Status ClusterPlanMaker::Adopt(const PlanEntry& entry) {
  ASSIGN_OR_RETURN(BatchPlan plan, DecodePlan(entry.bytes));
  if (entry.spec_hash != spec_hash_) {
    return InvalidError("UpgradeBlocked: batch " + std::to_string(entry.batch) +
                        " was planned by another version of the job; run that version until it "
                        "commits, then this one");
  }
  Take(std::move(plan), -1);
  return OkStatus();
}

void ClusterPlanMaker::Take(BatchPlan plan, int64_t lag_records) {
  planner_.Planned(plan);
  final_planned_ = plan.final;
  const MonotonicTime now = parts_->clock->Monotonic();
  listener_->OnBatchPlanned(plan);
  planned_.push_back({std::move(plan), std::min(due_, now), now, lag_records});
  due_ = now + planner_.UntilDue();
}

Result<std::optional<std::string>> ClusterPlanMaker::Next(int64_t batch) {
  const MonotonicTime now = parts_->clock->Monotonic();
  if (final_planned_) {
    due_ = MonotonicTime::max();
    return std::optional<std::string>();
  }
  ASSIGN_OR_RETURN(PlanDraft draft, planner_.Draft(batch));
  BatchPlan& plan = draft.plan;
  plan.final = draft.ended && draft.idle;
  if (plan.final && !planned_.empty()) {  // what is under way may still be the last to have rows
    due_ = now + std::chrono::milliseconds(5);
    return std::optional<std::string>();
  }
  if (draft.idle && !plan.final) {
    plan.batch_time = planner_.SkipToLatest();
    if (!planned_.empty() || !holds_state_) {
      if (planned_.empty()) planner_.Passed(plan.batch_time);
      due_ = now + std::max<Duration>(planner_.UntilDue(), std::chrono::milliseconds(1));
      listener_->OnIdle(draft.lag_records);
      return std::optional<std::string>();
    }
  }
  ASSIGN_OR_RETURN(plan.table_versions, parts_->tables->Pin(tables_));
  std::string bytes = EncodePlan(plan);
  Take(std::move(plan), draft.lag_records);
  return std::optional<std::string>(std::move(bytes));
}

CommitParts ClusterPlanMaker::Encode(const CommitPoint& before, const BatchPlan& plan) const {
  CommitParts parts;
  CommitPoint record = commit_;
  record.sources.clear();
  parts.record = EncodeCommit(record);
  for (const PlannedSource& planned : plan.sources) {
    const CommittedSource& source = commit_.sources.at(planned.name);
    const std::string field = SourceField(source);
    const auto former = before.sources.find(planned.name);
    if (former == before.sources.end() || SourceField(former->second) != field)
      parts.offsets.emplace_back("s:" + planned.name, field);
    for (const PlannedRange& range : planned.ranges) {
      parts.offsets.emplace_back("p:" + planned.name + "/" + std::to_string(range.partition),
                                 PartitionField(source, range.partition));
    }
  }
  return parts;
}

CommitParts ClusterPlanMaker::Finish(int64_t, const std::vector<std::string>& encoded) {
  Planned planned = std::move(planned_.front());
  planned_.pop_front();
  std::vector<std::map<int, TimePoint>> event_times(planned.plan.sources.size());
  std::vector<SlotFacts> facts;
  holds_state_ = false;
  for (const std::string& bytes : encoded) {
    Result<SlotFacts> slot = DecodeFacts(bytes);
    if (!slot.ok())
      continue;  // a member of another build: its numbers are missing, its rows are not
    for (size_t i = 0; i < slot->event_times.size() && i < event_times.size(); ++i)
      event_times[i].merge(slot->event_times[i]);
    holds_state_ = holds_state_ || slot->holds_state;
    facts.push_back(*std::move(slot));
  }
  const CommitPoint before = commit_;
  commit_ = CommitAfter(before, planned.plan, event_times);
  commit_.rate = planner_.rate();
  completed_ = planned.plan.final;
  Report(planned, facts, event_times);
  return Encode(before, planned.plan);
}

void ClusterPlanMaker::Report(const Planned& planned, const std::vector<SlotFacts>& facts,
                              const std::vector<std::map<int, TimePoint>>& event_times) {
  BatchInfo info;
  info.plan = planned.plan;
  const MonotonicTime now = parts_->clock->Monotonic();
  info.scheduling_delay = std::max(Duration::zero(), planned.begin - planned.due);
  info.processing_delay = now - planned.begin;
  info.lag_records = planned.lag_records;
  for (const SlotFacts& slot : facts) {
    for (size_t i = 0; i < slot.input_records.size() && i < planned.plan.sources.size(); ++i) {
      info.input_records += slot.input_records[i];
      info.input_by_source[planned.plan.sources[i].name] += slot.input_records[i];
    }
    info.input_bytes += slot.input_bytes;
    info.output_records += slot.output_records;
    info.late_records += slot.late_records;
    info.bad_records += slot.bad_records;
    info.state_bytes += slot.state_bytes;
    info.compute = std::max(info.compute, slot.compute);
  }
  planner_.Committed(event_times, info.input_records, info.processing_delay, info.scheduling_delay);
  info.rate = planner_.rate();
  listener_->OnBatchCommitted(info);
}

}  // namespace millrace::worker
