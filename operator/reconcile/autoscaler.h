#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/spec.h"

namespace millrace::controller {

// What the workers measured over one stretch of time, all of them together.
struct LoadWindow {
  TimePoint end;
  double arrival_rate = 0;    // records/s that came in
  double processed_rate = 0;  // records/s that were committed
  double busy = 0;            // 0..1, share of the time in which batches ran
  int64_t lag_records = 0;
  int64_t failed_batches = 0;
  int64_t partitions = 0;     // of all sources
  bool slow_sink = false;     // sinks held the batches back, more workers would not help
  int64_t unschedulable = 0;  // pods that find no node
};

struct Need {
  TimePoint time;
  int64_t workers = 0;
  bool operator==(const Need&) const = default;
};

// What decisions rest on besides the window. Bounded by kMaxNeeds.
struct ScalingRecord {
  static constexpr size_t kMaxNeeds = 32;
  std::optional<int64_t> workers;        // in force; none: spec.workers
  std::optional<TimePoint> last_window;  // each window counts once
  std::vector<Need> needs;               // of the last scaleDownDelay, oldest first
  std::string reason;                    // of the last decision
  bool operator==(const ScalingRecord&) const = default;
};

// The record after `load`, whose `workers` is the number to run. The true rate of a worker is what
// it commits while it is busy; as many are needed as carry the arrivals at the target utilisation
// and work the lag off within catchUp, rounded up to where no worker reads more partitions than
// another plan would make it. Up when two windows in a row agree, down to the largest need of the
// last scaleDownDelay. It holds when batches failed, when a sink is the limit or pods find no node
// (no way up then), and as onMetricLoss says without a window. Pure: the same inputs give the same
// record, and a window seen twice changes nothing.
// Requires: scaling.max_workers is set; spec_workers is spec.workers.
ScalingRecord Scale(const api::Autoscaling& scaling, const ScalingRecord& record,
                    int64_t spec_workers, const std::optional<LoadWindow>& load);

}  // namespace millrace::controller
