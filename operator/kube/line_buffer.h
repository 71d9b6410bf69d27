#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::controller {

// Cuts a stream into lines, wherever its pieces end: inside a line, a character or between both.
// Empty lines are left out; a line longer than the limit is an error and ends the stream.
// Thread-compatible.
class LineBuffer {
 public:
  static constexpr size_t kMaxLineBytes = size_t{16} << 20;

  explicit LineBuffer(size_t max_line_bytes = kMaxLineBytes) : max_line_bytes_(max_line_bytes) {}

  // Calls `on_line` for each line that `bytes` completes; stops at its first error and returns it.
  Status Add(std::string_view bytes, const std::function<Status(std::string_view)>& on_line);
  // Bytes of the line that has begun.
  size_t pending() const { return line_.size(); }

 private:
  const size_t max_line_bytes_;
  std::string line_;
};

}  // namespace millrace::controller
