#pragma once

#include <map>
#include <vector>

#include "crds/base/clock.h"

namespace millrace::worker {

// One source's event-time facts. A source without event time never has a watermark.
struct WatermarkConfig {
  bool has_event_time = false;
  Duration delay{0};
  Duration idle_timeout{0};
  // Known partitions hold the watermark before their first record (until idle). File lanes do not.
  bool partitions_hold = false;
};

// Watermarks of all sources of a job, from the largest event times that committed batches reported.
// Watermark of a source = min over its partitions that are not idle of (largest event time) -
// delay; it never falls. A source whose partitions are all idle follows the furthest other source,
// so that it holds nobody back. Thread-compatible.
class WatermarkTracker {
 public:
  explicit WatermarkTracker(std::vector<WatermarkConfig> sources);

  // Restores what the commit record says of one source.
  void Resume(int source, const std::map<int, TimePoint>& maxima, TimePoint watermark,
              MonotonicTime now);
  // The source has `count` partitions now; new ones may hold the watermark from here on.
  void KnowPartitions(int source, int count, MonotonicTime now);
  // A committed batch read records of a partition; `max_event_time` may be TimePoint::min().
  void Observe(int source, int partition, TimePoint max_event_time, MonotonicTime now);
  // The watermarks to put into the next plan.
  std::vector<TimePoint> Next(MonotonicTime now);
  const std::map<int, TimePoint>& maxima(int source) const { return sources_[source].maxima; }

 private:
  struct Source {
    WatermarkConfig config;
    std::map<int, TimePoint> maxima;
    std::map<int, MonotonicTime> last_seen;
    std::vector<MonotonicTime> known_since;  // by partition
    TimePoint watermark = TimePoint::min();
    bool idle = false;
  };
  void Advance(Source& source, MonotonicTime now) const;

  std::vector<Source> sources_;
};

}  // namespace millrace::worker
