#include "operator/reconcile/autoscaler.h"

#include <algorithm>
#include <cmath>

// After Flink's autoscaler ("true processing rate") and DS2 (Kalavri et al., OSDI 2018): demand
// divided by the useful rate of one worker. Linear in the number of kept needs.
namespace millrace::controller {
namespace {

constexpr double kRounding = 1e-6;   // of workers; 4.0000001 of them are four
constexpr double kLeastBusy = 0.01;  // below, the rate of a busy worker cannot be told

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

int64_t Bounded(const api::Autoscaling& scaling, int64_t workers) {
  return std::clamp(workers, scaling.min_workers, *scaling.max_workers);
}

// The fewest workers, at least `workers`, that lower the largest number of partitions of one.
int64_t Snapped(int64_t workers, int64_t partitions) {
  if (workers <= 0 || partitions <= workers) return workers;
  const int64_t each = partitions / workers;
  return (partitions + each - 1) / each;
}

int64_t Needed(const api::Autoscaling& scaling, int64_t workers, const LoadWindow& load) {
  if (load.busy < kLeastBusy || load.processed_rate <= 0) return load.lag_records > 0 ? workers : 0;
  const double each =
      load.processed_rate / load.busy / static_cast<double>(std::max<int64_t>(1, workers));
  const double target = static_cast<double>(scaling.target_utilization_percent) / 100;
  const double demand = load.arrival_rate / target +
                        static_cast<double>(load.lag_records) / Seconds(scaling.catch_up);
  const double wanted = std::min(std::ceil(demand / each - kRounding), 1e6);
  return Snapped(static_cast<int64_t>(wanted), load.partitions);
}

void Remember(ScalingRecord* record, const api::Autoscaling& scaling, Need need) {
  record->needs.push_back(need);
  std::erase_if(record->needs,
                [&](const Need& old) { return old.time < need.time - scaling.scale_down_delay; });
  if (record->needs.size() <= ScalingRecord::kMaxNeeds) return;
  // The smaller of the two oldest says least about the largest.
  const bool second = record->needs[1].workers < record->needs[0].workers;
  record->needs.erase(record->needs.begin() + (second ? 1 : 0));
}

ScalingRecord Decided(ScalingRecord record, bool dry_run, int64_t workers, std::string reason) {
  record.reason = dry_run ? "dry run: " + reason : std::move(reason);
  if (!dry_run) record.workers = workers;
  return record;
}

std::string Guard(const LoadWindow& load) {
  if (load.slow_sink) return "held: a sink is the limit";
  if (load.unschedulable > 0) return "held: pods find no node";
  return "";
}

}  // namespace

ScalingRecord Scale(const api::Autoscaling& scaling, const ScalingRecord& record,
                    int64_t spec_workers, const std::optional<LoadWindow>& load) {
  const int64_t now = Bounded(scaling, record.workers.value_or(spec_workers));
  if (!load) {
    const bool most = scaling.on_metric_loss == api::Autoscaling::OnMetricLoss::kMax;
    return Decided(record, scaling.dry_run, most ? *scaling.max_workers : now, "held: no metrics");
  }
  if (record.last_window && *record.last_window >= load->end) return record;
  ScalingRecord next = record;
  next.last_window = load->end;
  if (load->failed_batches > 0)
    return Decided(std::move(next), scaling.dry_run, now, "held: batches failed");
  const int64_t before = next.needs.empty() ? 0 : next.needs.back().workers;
  const int64_t need = Bounded(scaling, Needed(scaling, now, *load));
  Remember(&next, scaling, {load->end, need});
  if (need > now) {
    if (std::string guard = Guard(*load); !guard.empty())
      return Decided(std::move(next), scaling.dry_run, now, std::move(guard));
    if (before <= now)
      return Decided(std::move(next), scaling.dry_run, now, "held: one window is not enough");
    return Decided(std::move(next), scaling.dry_run, std::min(before, need), "up");
  }
  int64_t peak = need;
  for (const Need& old : next.needs) peak = std::max(peak, old.workers);
  const bool long_enough = load->end - next.needs.front().time >= scaling.scale_down_delay * 9 / 10;
  if (peak < now && long_enough) return Decided(std::move(next), scaling.dry_run, peak, "down");
  return Decided(std::move(next), scaling.dry_run, now, "enough");
}

}  // namespace millrace::controller
