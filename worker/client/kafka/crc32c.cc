#include "worker/client/kafka/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace millrace::worker {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

using Table = std::array<uint32_t, 256>;

constexpr std::array<Table, 8> MakeTables() {
  std::array<Table, 8> tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t i = 0; i < 256; ++i) {
      tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
    }
  }
  return tables;
}
constexpr std::array<Table, 8> kTables = MakeTables();

// Slicing by eight (Kounavis and Berry, 2005).
uint32_t Portable(uint32_t crc, const char* data, size_t size) {
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= kTables[7 - k][word >> (8 * k) & 0xff];
  }
  for (; size > 0; ++data, --size)
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(*data)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
// Bytes of each of the three streams that are run side by side: the instruction has a latency of
// three cycles and a throughput of one. Long batches mostly use the first, short ones the second.
constexpr size_t kLong = 4096;
constexpr size_t kShort = 256;

// The CRC behind `zeros` zero bytes, as a linear map of the CRC in front, looked up a byte at a
// time.
using Shift = std::array<Table, 4>;
constexpr Shift MakeShift(size_t zeros) {
  std::array<uint32_t, 32> basis{};
  for (size_t bit = 0; bit < 32; ++bit) {
    uint32_t crc = 1u << bit;
    for (size_t i = 0; i < zeros; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
    basis[bit] = crc;
  }
  Shift shift{};
  for (size_t byte = 0; byte < 4; ++byte) {
    for (size_t value = 0; value < 256; ++value) {
      for (size_t bit = 0; bit < 8; ++bit) {
        if ((value >> bit & 1) != 0) shift[byte][value] ^= basis[8 * byte + bit];
      }
    }
  }
  return shift;
}

uint32_t Apply(const Shift& shift, uint32_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^ shift[2][crc >> 16 & 0xff] ^
         shift[3][crc >> 24];
}

uint64_t Load(const char* from) {
  uint64_t word;
  std::memcpy(&word, from, 8);
  return word;
}

template <size_t kBlock>
__attribute__((target("sse4.2"))) uint32_t ThreeStreams(const Shift& shift, uint32_t crc,
                                                        const char** data, size_t* size) {
  while (*size >= 3 * kBlock) {
    uint64_t a = crc;
    uint64_t b = 0;
    uint64_t c = 0;
    for (const char *from = *data, *end = from + kBlock; from < end; from += 8) {
      a = _mm_crc32_u64(a, Load(from));
      b = _mm_crc32_u64(b, Load(from + kBlock));
      c = _mm_crc32_u64(c, Load(from + 2 * kBlock));
    }
    crc = Apply(shift, Apply(shift, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b)) ^
          static_cast<uint32_t>(c);
    *data += 3 * kBlock;
    *size -= 3 * kBlock;
  }
  return crc;
}

__attribute__((target("sse4.2"))) uint32_t Hardware(uint32_t crc, const char* data, size_t size) {
  static const Shift long_shift = MakeShift(kLong);
  static const Shift short_shift = MakeShift(kShort);
  crc = ThreeStreams<kLong>(long_shift, crc, &data, &size);
  crc = ThreeStreams<kShort>(short_shift, crc, &data, &size);
  uint64_t wide = crc;
  for (; size >= 8; data += 8, size -= 8) wide = _mm_crc32_u64(wide, Load(data));
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; ++data, --size) crc = _mm_crc32_u8(crc, static_cast<uint8_t>(*data));
  return crc;
}
#endif

}  // namespace

uint32_t Crc32cPortable(std::string_view bytes) {
  return ~Portable(~0u, bytes.data(), bytes.size());
}

uint32_t Crc32c(std::string_view bytes) {
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("sse4.2") != 0;
  if (hardware) return ~Hardware(~0u, bytes.data(), bytes.size());
#endif
  return Crc32cPortable(bytes);
}

}  // namespace millrace::worker
