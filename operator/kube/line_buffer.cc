#include "operator/kube/line_buffer.h"

#include <utility>

namespace millrace::controller {

Status LineBuffer::Add(std::string_view bytes,
                       const std::function<Status(std::string_view)>& on_line) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() > max_line_bytes_)
      return InternalError("a line of a watch is longer than " + std::to_string(max_line_bytes_) +
                           " bytes");
    line_ += part;
    if (end == std::string_view::npos) return OkStatus();
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    if (!line.empty()) RETURN_IF_ERROR(on_line(line));
  }
  return OkStatus();
}

}  // namespace millrace::controller
