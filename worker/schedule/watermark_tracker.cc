#include "worker/schedule/watermark_tracker.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {

WatermarkTracker::WatermarkTracker(std::vector<WatermarkConfig> sources) {
  for (const WatermarkConfig& config : sources)
    sources_.push_back({config, {}, {}, {}, TimePoint::min(), false});
}

void WatermarkTracker::KnowPartitions(int source, int count, MonotonicTime now) {
  std::vector<MonotonicTime>& known = sources_[source].known_since;
  if (sources_[source].config.partitions_hold && known.size() < static_cast<size_t>(count))
    known.resize(count, now);
}

void WatermarkTracker::Resume(int source, const std::map<int, TimePoint>& maxima,
                              TimePoint watermark, MonotonicTime now) {
  Source& target = sources_[source];
  target.maxima = maxima;
  target.watermark = watermark;
  for (const auto& [partition, time] : maxima) target.last_seen[partition] = now;
}

void WatermarkTracker::Observe(int source, int partition, TimePoint max_event_time,
                               MonotonicTime now) {
  Source& target = sources_[source];
  target.last_seen[partition] = now;
  if (max_event_time == TimePoint::min()) return;
  const auto [it, inserted] = target.maxima.try_emplace(partition, max_event_time);
  it->second = std::max(it->second, max_event_time);
}

void WatermarkTracker::Advance(Source& source, MonotonicTime now) const {
  TimePoint lowest = TimePoint::max();
  TimePoint highest = TimePoint::min();
  bool held = false;  // by a known partition without any record yet
  for (size_t partition = 0; partition < source.known_since.size(); ++partition) {
    held |= !source.maxima.contains(static_cast<int>(partition)) &&
            now - source.known_since[partition] < source.config.idle_timeout;
  }
  source.idle = !held;
  for (const auto& [partition, time] : source.maxima) {
    highest = std::max(highest, time);
    if (now - source.last_seen[partition] >= source.config.idle_timeout) continue;
    source.idle = false;
    lowest = std::min(lowest, time);
  }
  if (held || highest == TimePoint::min()) return;
  const TimePoint reached = lowest == TimePoint::max() ? highest : lowest;
  source.watermark = std::max(source.watermark, reached - source.config.delay);
}

std::vector<TimePoint> WatermarkTracker::Next(MonotonicTime now) {
  TimePoint furthest = TimePoint::min();
  for (Source& source : sources_) {
    if (!source.config.has_event_time) continue;
    Advance(source, now);
    furthest = std::max(furthest, source.watermark);
  }
  std::vector<TimePoint> watermarks;
  for (Source& source : sources_) {
    if (source.config.has_event_time && source.idle)
      source.watermark = std::max(source.watermark, furthest);
    watermarks.push_back(source.watermark);
  }
  return watermarks;
}

}  // namespace millrace::worker
