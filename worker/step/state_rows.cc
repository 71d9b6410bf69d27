#include "worker/step/state_rows.h"

namespace millrace::worker {

std::vector<uint32_t> WithoutErrors(size_t size, const std::vector<BadRecord>& errors) {
  std::vector<uint8_t> bad(size);
  for (const BadRecord& error : errors) bad[error.row] = 1;
  std::vector<uint32_t> rows;
  for (size_t row = 0; row < size; ++row) {
    if (bad[row] == 0) rows.push_back(static_cast<uint32_t>(row));
  }
  return rows;
}

std::vector<uint32_t> Pick(const std::vector<uint32_t>& values,
                           const std::vector<uint32_t>& positions) {
  std::vector<uint32_t> picked(positions.size());
  for (size_t i = 0; i < positions.size(); ++i) picked[i] = values[positions[i]];
  return picked;
}

}  // namespace millrace::worker
