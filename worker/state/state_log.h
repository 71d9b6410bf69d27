#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// What is kept of one unit's state: a snapshot (may be empty) and the deltas after it, in order.
struct UnitBlobs {
  std::string snapshot;
  std::vector<std::string> deltas;
};

// Where deltas and snapshots of keyed state go. A blob counts only once the batch that wrote it
// commits: Discard forgets those of a failed attempt. Loop thread only.
class StateLog {
 public:
  virtual ~StateLog() = default;
  virtual Status PutDelta(const std::string& stage, int unit, std::string_view bytes) = 0;
  // Replaces everything the unit had before.
  virtual Status PutSnapshot(const std::string& stage, int unit, std::string_view bytes) = 0;
  // True when the unit's deltas outgrew its snapshot, so that the next blob should be a snapshot.
  virtual bool WantsSnapshot(const std::string& stage, int unit) const = 0;
  // Committed blobs only. kInternal ("StateLost: ...") when one is damaged.
  virtual Result<UnitBlobs> Load(const std::string& stage, int unit) const = 0;
  // Units with committed state, ascending.
  virtual std::vector<std::pair<std::string, int>> Units() const = 0;
  virtual int64_t committed_bytes() const = 0;
};

}  // namespace millrace::worker
