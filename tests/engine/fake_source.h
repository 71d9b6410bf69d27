#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/source/source.h"

namespace millrace::worker::testing {

// What a source has to say at one tick.
struct Tick {
  std::vector<std::string> lines;
  Duration busy{0};  // time that passes while the batch is read, as if it were slow
};

// A source that plays a list of ticks: records of tick k at the k-th offer, then the end. Reads
// repeat as planned. Scheduler's thread only.
class FakeSource final : public Source {
 public:
  FakeSource(std::vector<Tick> ticks, ManualClock* clock)
      : ticks_(std::move(ticks)), clock_(clock) {}

  int num_partitions() const override { return 1; }
  Status Start(const SourcePosition&) override {
    if (start_time > Duration::zero()) clock_->Advance(start_time);
    return OkStatus();
  }
  Result<SourceOffer> Offer(const OfferRequest& request) override {
    SourceOffer offer;
    offer.cursor = request.position->cursor;
    const size_t tick = next_++;
    if (tick < ticks_.size() && !ticks_[tick].lines.empty()) {
      offer.ranges.push_back({0, std::to_string(tick), std::to_string(tick + 1), "",
                              static_cast<int64_t>(ticks_[tick].lines.size())});
    }
    offer.ended = next_ >= ticks_.size() && ends;
    return offer;
  }
  Status Read(const PartitionRange& range, RecordConsumer* consumer) override {
    const Tick& tick = ticks_[std::stoul(range.from)];
    ++reads;
    if (on_read) on_read();
    if (tick.busy > Duration::zero()) clock_->Advance(tick.busy);
    const auto arena = std::make_shared<Arena>();
    RawRecords raw;
    for (const std::string& line : tick.lines) raw.payloads.push_back(arena->Copy(line));
    raw.owners.push_back(arena);
    raw.path = "fake";
    raw.first_line = 1;
    return consumer->OnRaw(std::move(raw));
  }

  bool ends = true;        // false: silent, but not over, behind its ticks
  Duration start_time{0};  // time that passes until it has started
  int reads = 0;
  std::function<void()> on_read;

 private:
  std::vector<Tick> ticks_;
  ManualClock* clock_;
  size_t next_ = 0;
};

}  // namespace millrace::worker::testing
