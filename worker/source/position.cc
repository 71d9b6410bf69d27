#include "worker/source/position.h"

#include <charconv>

namespace millrace::worker {

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<uint64_t> ParsePosition(std::string_view text, std::string_view what) {
  const std::optional<int64_t> value = ParseNumber(text);
  if (value && *value >= 0) return static_cast<uint64_t>(*value);
  return GoneError("StateLost: \"" + std::string(text) + "\" is no position of " +
                   std::string(what));
}

Result<uint64_t> PositionAt(const SourcePosition& position, int partition, std::string_view what) {
  const auto found = position.offsets.find(partition);
  if (found == position.offsets.end() || found->second.empty()) return uint64_t{0};
  return ParsePosition(found->second, what);
}

}  // namespace millrace::worker
