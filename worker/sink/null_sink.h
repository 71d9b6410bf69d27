#pragma once

#include "worker/sink/sink.h"

namespace millrace::worker {

// Drops everything: `--sink none`, for measuring.
class NullSink final : public Sink {
 public:
  Status Open(const SinkSeat&) override { return OkStatus(); }
  Result<SinkLedger> ReadLedger() override { return SinkLedger{}; }
  Status Deliver(const SinkBatch&, const std::vector<SinkPart>&,
                 std::vector<RejectedRow>*) override {
    return OkStatus();
  }
  Status Committed(int64_t) override { return OkStatus(); }
};

}  // namespace millrace::worker
