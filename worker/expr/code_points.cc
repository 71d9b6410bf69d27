#include "worker/expr/code_points.h"

#include <algorithm>

namespace millrace::worker {

CodePoints::CodePoints(std::string_view text)
    : text_(text), size_(static_cast<int64_t>(text.size())) {
  if (std::ranges::all_of(text, [](char c) { return (c & 0x80) == 0; })) return;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) != 0x80) offsets_.push_back(i);
  }
  size_ = static_cast<int64_t>(offsets_.size());
  offsets_.push_back(text.size());
}

int64_t CodePoints::IndexOf(size_t offset) const {
  if (offsets_.empty()) return static_cast<int64_t>(offset);
  return std::ranges::lower_bound(offsets_, offset) - offsets_.begin();
}

}  // namespace millrace::worker
