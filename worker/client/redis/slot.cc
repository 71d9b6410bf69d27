#include <array>

#include "worker/client/redis/redis.h"

namespace millrace::worker {
namespace {

constexpr uint16_t kPolynomial = 0x1021;  // CRC-16/XMODEM: initial value 0, no reflection
constexpr int kSlots = 16384;

constexpr std::array<uint16_t, 256> MakeTable() {
  std::array<uint16_t, 256> table{};
  for (size_t byte = 0; byte < table.size(); ++byte) {
    auto crc = static_cast<uint16_t>(byte << 8);
    for (int bit = 0; bit < 8; ++bit) {
      const bool high = (crc & 0x8000) != 0;
      crc = static_cast<uint16_t>(crc << 1);
      if (high) crc ^= kPolynomial;
    }
    table[byte] = crc;
  }
  return table;
}

std::string_view TagOf(std::string_view key) {
  const size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

}  // namespace

int RedisSlot(std::string_view key) {
  static constexpr std::array<uint16_t, 256> kTable = MakeTable();
  uint16_t crc = 0;
  for (const char c : TagOf(key)) {
    const auto index = static_cast<uint8_t>((crc >> 8) ^ static_cast<uint8_t>(c));
    crc = static_cast<uint16_t>((crc << 8) ^ kTable[index]);
  }
  return crc % kSlots;
}

}  // namespace millrace::worker
