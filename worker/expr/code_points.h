#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace millrace::worker {

// Addresses a UTF-8 text by code points. ASCII text needs no table. The text must outlive it.
class CodePoints {
 public:
  explicit CodePoints(std::string_view text);

  int64_t size() const { return size_; }
  // Byte offset of code point i; i == size() is the end. Requires: 0 <= i <= size().
  size_t Offset(int64_t i) const {
    return offsets_.empty() ? static_cast<size_t>(i) : offsets_[static_cast<size_t>(i)];
  }
  // Number of the code point that starts at byte `offset`.
  int64_t IndexOf(size_t offset) const;
  std::string_view Slice(int64_t begin, int64_t end) const {
    return text_.substr(Offset(begin), Offset(end) - Offset(begin));
  }

 private:
  std::string_view text_;
  int64_t size_ = 0;
  std::vector<size_t> offsets_;  // with the end; empty for ASCII
};

}  // namespace millrace::worker
