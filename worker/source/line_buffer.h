#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/data/format.h"

namespace millrace::worker {

// The longest single record that a stream of records may have.
inline constexpr size_t kMaxRecordBytes = 16 << 20;

// Cuts a byte stream that arrives in pieces into records. Thread-compatible.
class LineBuffer {
 public:
  explicit LineBuffer(Framing framing) : framing_(framing) {}

  // Room for up to `bytes` more; pass what was written there to Commit.
  char* Reserve(size_t bytes);
  // Complete records so far, valid until the next call. kInvalid when one exceeds kMaxRecordBytes.
  Status Commit(size_t written, bool at_end, std::vector<std::string_view>* records);
  size_t pending_bytes() const { return used_ - consumed_; }
  // Drops an incomplete record (its connection broke).
  void Clear() { used_ = consumed_ = 0; }

 private:
  const Framing framing_;
  std::string text_;
  size_t used_ = 0;
  size_t consumed_ = 0;
};

// Cuts by the framing: SplitLines or SplitCsvRecords.
size_t SplitRecords(Framing framing, std::string_view block, bool at_end,
                    std::vector<std::string_view>* records);

}  // namespace millrace::worker
