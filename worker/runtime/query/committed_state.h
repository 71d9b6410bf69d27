#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/state/state_log.h"

namespace millrace::worker {

// Committed state of one stage as of one batch. Thread-compatible.
class CommittedView {
 public:
  virtual ~CommittedView() = default;
  virtual int64_t batch() const = 0;
  virtual TimePoint batch_time() const = 0;
  // By source of the job.
  virtual const std::vector<TimePoint>& watermarks() const = 0;
  // Blobs of the units, in their order. Requires: units that the view was opened for.
  virtual Result<std::vector<UnitBlobs>> Load(const std::vector<int>& units) = 0;
};

// Where queries read state that is committed, without holding up the job. One caller at a time.
// Errors: kUnavailable when it cannot be read now, kInternal "StateLost: ...".
class CommittedState {
 public:
  virtual ~CommittedState() = default;
  // Blocks until there is an answer, for a bounded time.
  virtual Result<std::unique_ptr<CommittedView>> Open(const std::string& stage,
                                                      const std::vector<int>& units) = 0;
};

}  // namespace millrace::worker
