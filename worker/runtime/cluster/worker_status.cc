#include "worker/runtime/cluster/worker_status.h"

#include <algorithm>

namespace millrace::worker {
namespace {

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

const char* NameOf(TakeOverProgress::Step step) {
  switch (step) {
    case TakeOverProgress::Step::kLoading:
      return "loading state";
    case TakeOverProgress::Step::kFencing:
      return "fencing sinks";
    case TakeOverProgress::Step::kDone:
      return "done";
    case TakeOverProgress::Step::kFailed:
      return "failed";
  }
  return "";
}

void WriteText(std::string_view key, std::string_view value, JsonWriter* out) {
  out->Key(key);
  out->String(value);
}

void WriteNumber(std::string_view key, int64_t value, JsonWriter* out) {
  out->Key(key);
  out->Int(value);
}

void WriteMilliseconds(std::string_view key, Duration value, JsonWriter* out) {
  out->Key(key);
  out->Double(Milliseconds(value));
}

void WriteMembers(const WorkerStatus& status, JsonWriter* out) {
  out->Key("members");
  out->BeginArray();
  for (const auto& [member, record] : status.members) {
    out->BeginObject();
    WriteText("member", member, out);
    WriteText("address", record.address, out);
    WriteNumber("slot", status.generation->SlotOf(member), out);
    out->Key("leaving");
    out->Bool(record.leaving);
    out->EndObject();
  }
  out->EndArray();
}

void WriteLeadership(const WorkerStatus& status, JsonWriter* out) {
  if (!status.leading) return;
  out->Key("leadership");
  out->BeginObject();
  WriteText("phase", status.phase, out);
  WriteText("reason", status.reason, out);
  out->Key("waitingFor");
  out->BeginArray();
  for (const int slot : status.waiting_for) out->Int(slot);
  out->EndArray();
  out->EndObject();
}

void WriteRecovery(const TakeOverProgress& recovery, JsonWriter* out) {
  out->BeginObject();
  WriteText("generation", recovery.generation, out);
  WriteText("step", NameOf(recovery.step), out);
  WriteNumber("afterBatch", recovery.commit, out);
  WriteNumber("units", recovery.units, out);
  WriteNumber("bytes", recovery.bytes, out);
  WriteMilliseconds("tookMs", recovery.took, out);
  if (!recovery.error.empty()) WriteText("error", recovery.error, out);
  out->EndObject();
}

void WriteBatch(const SlotBatch& batch, JsonWriter* out) {
  out->BeginObject();
  WriteNumber("batch", batch.batch, out);
  WriteNumber("inputRecords", batch.input_records, out);
  WriteNumber("outputRecords", batch.output_records, out);
  WriteMilliseconds("computeMs", batch.compute, out);
  WriteMilliseconds("writeMs", batch.write, out);
  WriteMilliseconds("outputMs", batch.output, out);
  WriteNumber("deltas", batch.blobs.deltas, out);
  WriteNumber("snapshots", batch.blobs.snapshots, out);
  WriteNumber("stateBytes", batch.blobs.delta_bytes + batch.blobs.snapshot_bytes, out);
  out->EndObject();
}

}  // namespace

std::string RangesText(const std::vector<int>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(numbers[i]);
    if (end > i + 1) text += '-' + std::to_string(numbers[end - 1]);
    i = end;
  }
  return text;
}

int WorkerStatus::key_groups() const {
  return static_cast<int>(std::count(generation->groups.begin(), generation->groups.end(), slot));
}

void WorkerBoard::OnPlan(const BatchPlan& plan) {
  const std::lock_guard lock(mutex_);
  partitions_.resize(plan.sources.size());
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    auto& [name, count] = partitions_[i];
    name = plan.sources[i].name;
    for (const PlannedRange& range : plan.sources[i].ranges)
      count = std::max(count, range.partition + 1);
  }
}

void WorkerBoard::OnSlotBatch(const SlotBatch& batch) {
  const std::lock_guard lock(mutex_);
  batches_.push_front(batch);
  if (batches_.size() > kKeptBatches) batches_.pop_back();
}

// The steps of one recovery follow each other; a new one begins with loading.
void WorkerBoard::OnTakeOver(const TakeOverProgress& progress) {
  const std::lock_guard lock(mutex_);
  if (progress.step == TakeOverProgress::Step::kLoading || recoveries_.empty())
    recoveries_.emplace_front();
  recoveries_.front() = progress;
  if (recoveries_.size() > kKeptRecoveries) recoveries_.pop_back();
}

void WorkerBoard::WriteAssignment(const Generation& generation, JsonWriter* out) const {
  out->Key("assignment");
  out->BeginArray();
  for (int slot = 0; slot < generation.slots(); ++slot) {
    std::vector<int> groups;
    for (size_t group = 0; group < generation.groups.size(); ++group) {
      if (generation.groups[group] == slot) groups.push_back(static_cast<int>(group));
    }
    out->BeginObject();
    WriteNumber("slot", slot, out);
    WriteText("member", generation.seats[slot].member, out);
    WriteText("keyGroups", RangesText(groups), out);
    out->Key("partitions");
    out->BeginObject();
    for (size_t source = 0; source < partitions_.size(); ++source) {
      std::vector<int> partitions;
      for (int partition = 0; partition < partitions_[source].second; ++partition) {
        if (OwnerOfInput(generation, static_cast<int>(source), partition) == slot)
          partitions.push_back(partition);
      }
      WriteText(partitions_[source].first, RangesText(partitions), out);
    }
    out->EndObject();
    out->EndObject();
  }
  out->EndArray();
}

std::string WorkerBoard::Json(const WorkerStatus& status) const {
  const std::lock_guard lock(mutex_);
  JsonWriter out;
  out.BeginObject();
  WriteText("member", status.member, &out);
  out.Key("leading");
  out.Bool(status.leading);
  WriteText("state", status.state, &out);
  WriteNumber("epoch", status.epoch, &out);
  WriteText("leader", status.leader, &out);
  WriteText("leaderAddress", status.leader_address, &out);
  WriteText("generation", status.generation->name, &out);
  WriteNumber("slot", status.slot, &out);
  WriteNumber("slots", status.generation->slots(), &out);
  WriteNumber("committedBatch", status.committed, &out);
  WriteLeadership(status, &out);
  WriteMembers(status, &out);
  WriteAssignment(*status.generation, &out);
  out.Key("recoveries");
  out.BeginArray();
  for (const TakeOverProgress& recovery : recoveries_) WriteRecovery(recovery, &out);
  out.EndArray();
  out.Key("batches");
  out.BeginArray();
  for (const SlotBatch& batch : batches_) WriteBatch(batch, &out);
  out.EndArray();
  out.EndObject();
  return out.Take();
}

}  // namespace millrace::worker
