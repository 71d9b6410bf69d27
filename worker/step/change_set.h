#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::worker {

// Which rows of a KeyTable changed and which keys left since the last Settle. In a delta the keys
// that left stand before the rows, so a key that left and came again is there. Thread-compatible.
class ChangeSet {
 public:
  void Change(uint32_t row) {
    if (row >= listed_.size()) listed_.resize(row + 1);
    if (listed_[row] != 0) return;
    listed_[row] = 1;
    rows_.push_back(row);
  }
  // Call before the key is erased from its table.
  void Erase(std::string_view key) { erased_.emplace_back(key); }

  bool empty() const { return rows_.empty() && erased_.empty(); }
  // Each row once; rows that are no longer live are listed still.
  const std::vector<uint32_t>& rows() const { return rows_; }
  const std::vector<std::string>& erased() const { return erased_; }
  void Clear() {
    for (const uint32_t row : rows_) listed_[row] = 0;
    rows_.clear();
    erased_.clear();
  }

 private:
  std::vector<uint8_t> listed_;
  std::vector<uint32_t> rows_;
  std::vector<std::string> erased_;
};

}  // namespace millrace::worker
