#include "worker/expr/kernel_bytes.h"

#include <algorithm>
#include <array>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace millrace::worker {
namespace {

constexpr size_t kBlock = 64;
constexpr uint64_t kHighBits = 0x8080808080808080u;
constexpr uint64_t kOnes = 0x0101010101010101u;

// Flips the case bit of the bytes in [first, first + 25] of a word. Eight bytes at once: a byte
// below 0x80 has its high bit set by adding 0x80 - first exactly when it is >= first.
uint64_t FlipCase(uint64_t word, uint8_t first) {
  const uint64_t low = word & ~kHighBits;
  const uint64_t from_first = low + kOnes * static_cast<uint64_t>(0x80 - first);
  const uint64_t behind_last = low + kOnes * static_cast<uint64_t>(0x80 - first - 26);
  const uint64_t letters = from_first & ~behind_last & ~word & kHighBits;
  return word ^ (letters >> 2);
}

void CopyFlipped(std::string_view text, uint8_t first, char* target) {
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    word = FlipCase(word, first);
    std::memcpy(target + i, &word, 8);
  }
  for (; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    target[i] = static_cast<char>(c >= first && c < first + 26 ? c ^ 0x20 : c);
  }
}

#if defined(__SSE2__)

// Unsigned x <= limit.
__m128i AtMost(__m128i x, char limit) {
  return _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(limit)), x);
}

struct ByteTest {
  __m128i byte;
  __m128i operator()(__m128i x) const { return _mm_cmpeq_epi8(x, byte); }
};
struct NonWordTest {
  __m128i operator()(__m128i x) const {
    const __m128i letters =
        AtMost(_mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a')), 25);
    const __m128i digits = AtMost(_mm_sub_epi8(x, _mm_set1_epi8('0')), 9);
    const __m128i underscore = _mm_cmpeq_epi8(x, _mm_set1_epi8('_'));
    return _mm_xor_si128(_mm_or_si128(_mm_or_si128(letters, digits), underscore),
                         _mm_set1_epi8(-1));
  }
};
struct SpaceTest {
  __m128i operator()(__m128i x) const {
    const __m128i controls = AtMost(_mm_sub_epi8(x, _mm_set1_epi8('\t')), '\r' - '\t');
    const __m128i vertical = _mm_cmpeq_epi8(x, _mm_set1_epi8('\v'));
    return _mm_or_si128(_mm_andnot_si128(vertical, controls),
                        _mm_cmpeq_epi8(x, _mm_set1_epi8(' ')));
  }
};

template <typename Test>
uint64_t BlockMask(const char* block, Test test) {
  uint64_t mask = 0;
  for (size_t i = 0; i < kBlock; i += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i));
    mask |= static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(test(x)))) << i;
  }
  return mask;
}

uint64_t BlockMask(SeparatorClass separator, char byte, const char* block) {
  switch (separator) {
    case SeparatorClass::kByte:
      return BlockMask(block, ByteTest{_mm_set1_epi8(byte)});
    case SeparatorClass::kNonWords:
      return BlockMask(block, NonWordTest{});
    case SeparatorClass::kSpaces:
      return BlockMask(block, SpaceTest{});
  }
  return 0;
}

#else

bool IsSeparator(SeparatorClass separator, char byte, char c) {
  const bool word =
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  switch (separator) {
    case SeparatorClass::kByte:
      return c == byte;
    case SeparatorClass::kNonWords:
      return !word;
    case SeparatorClass::kSpaces:
      return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
  }
  return false;
}

uint64_t BlockMask(SeparatorClass separator, char byte, const char* block) {
  uint64_t mask = 0;
  for (size_t i = 0; i < kBlock; ++i) mask |= uint64_t{IsSeparator(separator, byte, block[i])} << i;
  return mask;
}

#endif

}  // namespace

bool IsAsciiText(std::string_view text) {
  uint64_t seen = 0;
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    seen |= word;
  }
  for (; i < text.size(); ++i) seen |= static_cast<uint8_t>(text[i]);
  return (seen & kHighBits) == 0;
}

int64_t CountCharacters(std::string_view text) {
  auto count = static_cast<int64_t>(text.size());
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    count -= __builtin_popcountll((word >> 7) & ~(word >> 6) & kOnes);
  }
  for (; i < text.size(); ++i) count -= (text[i] & 0xc0) == 0x80 ? 1 : 0;
  return count;
}

void CopyLowerAscii(std::string_view text, char* target) { CopyFlipped(text, 'A', target); }

void CopyUpperAscii(std::string_view text, char* target) { CopyFlipped(text, 'a', target); }

// Cuts are the positions where a part ends or begins, in turns: for runs where "is a separator"
// changes, for single bytes the byte and the one behind it.
size_t ByteSplitter::Split(std::string_view text, size_t used,
                           std::vector<std::string_view>* parts) {
  if (cuts_.size() < 2 * text.size() + 2 + kBlock) cuts_.resize(2 * text.size() + 2 + kBlock);
  uint32_t* cut = cuts_.data();
  const bool runs = separator_ != SeparatorClass::kByte;
  uint64_t before = 0;  // 1 when the byte before the block is a separator
  for (size_t at = 0; at < text.size(); at += kBlock) {
    const size_t left = text.size() - at;
    uint64_t mask = 0;
    if (left >= kBlock) {
      mask = BlockMask(separator_, byte_, text.data() + at);
    } else {
      std::array<char, kBlock> tail{};
      std::memcpy(tail.data(), text.data() + at, left);
      mask = BlockMask(separator_, byte_, tail.data()) & ((uint64_t{1} << left) - 1);
    }
    uint64_t changes = runs ? mask ^ (mask << 1 | before) : mask;
    if (runs && left < kBlock) changes &= (uint64_t{1} << left) - 1;
    before = mask >> 63;
    for (; changes != 0; changes &= changes - 1) {
      const auto position =
          static_cast<uint32_t>(at + static_cast<size_t>(__builtin_ctzll(changes)));
      *cut++ = position;
      if (!runs) *cut++ = position + 1;
    }
  }
  const auto size = static_cast<uint32_t>(text.size());
  if ((cut - cuts_.data()) % 2 != 0) *cut++ = size;
  const size_t count = static_cast<size_t>(cut - cuts_.data()) / 2 + 1;
  *cut = size;
  if (parts->size() < used + count) parts->resize(std::max(used + count, 2 * parts->size()));
  std::string_view* part = parts->data() + used;
  uint32_t begin = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t end = cuts_[2 * i];
    part[i] = {text.data() + begin, end - begin};
    begin = cuts_[2 * i + 1];
  }
  return used + count;
}

std::optional<std::string> LiteralPattern(std::string_view pattern) {
  std::string literal;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size() &&
        std::string_view("\\.|+*?()[]{}^$/-,;: ").find(pattern[i + 1]) != std::string_view::npos) {
      literal += pattern[++i];
    } else if (std::string_view("\\.|+*?()[]{}^$").find(c) != std::string_view::npos ||
               static_cast<uint8_t>(c) > 0x7f) {
      return std::nullopt;
    } else {
      literal += c;
    }
  }
  return literal;
}

}  // namespace millrace::worker
