#include "worker/sink/console/text_width.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array kZeroWidth = {
    Range{0x0300, 0x036f},   Range{0x0483, 0x0489},   Range{0x0591, 0x05bd}, Range{0x0610, 0x061a},
    Range{0x064b, 0x065f},   Range{0x06d6, 0x06dc},   Range{0x0900, 0x0902}, Range{0x0e31, 0x0e31},
    Range{0x0e34, 0x0e3a},   Range{0x0e47, 0x0e4e},   Range{0x1ab0, 0x1aff}, Range{0x1dc0, 0x1dff},
    Range{0x200c, 0x200d},   Range{0x20d0, 0x20ff},   Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f},
    Range{0x1f3fb, 0x1f3ff}, Range{0xe0100, 0xe01ef},
};

constexpr std::array kDoubleWidth = {
    Range{0x1100, 0x115f},   Range{0x231a, 0x231b},   Range{0x23e9, 0x23ec},
    Range{0x23f0, 0x23f0},   Range{0x23f3, 0x23f3},   Range{0x25fd, 0x25fe},
    Range{0x2614, 0x2615},   Range{0x2648, 0x2653},   Range{0x267f, 0x267f},
    Range{0x2693, 0x2693},   Range{0x26a1, 0x26a1},   Range{0x26aa, 0x26ab},
    Range{0x26bd, 0x26be},   Range{0x26c4, 0x26c5},   Range{0x26ce, 0x26ce},
    Range{0x26d4, 0x26d4},   Range{0x26ea, 0x26ea},   Range{0x26f2, 0x26f3},
    Range{0x26f5, 0x26f5},   Range{0x26fa, 0x26fa},   Range{0x26fd, 0x26fd},
    Range{0x2705, 0x2705},   Range{0x270a, 0x270b},   Range{0x2728, 0x2728},
    Range{0x274c, 0x274c},   Range{0x274e, 0x274e},   Range{0x2753, 0x2755},
    Range{0x2757, 0x2757},   Range{0x2795, 0x2797},   Range{0x27b0, 0x27b0},
    Range{0x27bf, 0x27bf},   Range{0x2b1b, 0x2b1c},   Range{0x2b50, 0x2b50},
    Range{0x2b55, 0x2b55},   Range{0x2e80, 0x303e},   Range{0x3041, 0x33ff},
    Range{0x3400, 0x4dbf},   Range{0x4e00, 0xa4cf},   Range{0xa960, 0xa97f},
    Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},
    Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},   Range{0x1f004, 0x1f004},
    Range{0x1f0cf, 0x1f0cf}, Range{0x1f18e, 0x1f18e}, Range{0x1f191, 0x1f19a},
    Range{0x1f200, 0x1f3fa}, Range{0x1f400, 0x1f64f}, Range{0x1f680, 0x1f6ff},
    Range{0x1f7e0, 0x1f7eb}, Range{0x1f900, 0x1f9ff}, Range{0x1fa70, 0x1faff},
    Range{0x20000, 0x3fffd},
};

template <size_t N>
bool Contains(const std::array<Range, N>& ranges, char32_t code) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code,
                       [](char32_t value, const Range& range) { return value < range.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

// Length in bytes of the well-formed character at the front of `text`, 0 for none.
size_t NextCharacter(std::string_view text, char32_t* code) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t size = lead < 0x80   ? 1
                      : lead < 0xc2 ? 0
                      : lead < 0xe0 ? 2
                      : lead < 0xf0 ? 3
                      : lead < 0xf5 ? 4
                                    : 0;
  if (size == 0 || size > text.size() || !IsValidUtf8(text.substr(0, size))) return 0;
  *code = size == 1 ? lead : lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    *code = (*code << 6) | (static_cast<unsigned char>(text[i]) & 0x3fu);
  }
  return size;
}

// Characters that move the cursor, hide or reorder text.
bool IsUnsafe(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x200b ||
         code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
         (code >= 0xe0000 && code <= 0xe007f);
}

void AppendEscape(char32_t code, std::string* out) {
  char text[16];
  switch (code) {
    case '\n':
      *out += "\\n";
      return;
    case '\r':
      *out += "\\r";
      return;
    case '\t':
      *out += "\\t";
      return;
    default:
      break;
  }
  std::snprintf(text, sizeof text, code < 0x100 ? "\\x%02x" : "\\u%04x",
                static_cast<unsigned>(code));
  *out += text;
}

int WidthOf(char32_t code) {
  if (code < 0x300) return 1;
  if (Contains(kZeroWidth, code)) return 0;
  return Contains(kDoubleWidth, code) ? 2 : 1;
}

}  // namespace

std::string EscapeForTerminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    char32_t code = 0;
    const size_t size = NextCharacter(text, &code);
    if (size == 0) {
      AppendEscape(static_cast<unsigned char>(text[0]), &out);
    } else if (IsUnsafe(code)) {
      AppendEscape(code, &out);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    char32_t code = 0;
    const size_t size = NextCharacter(text, &code);
    width += size == 0 ? 1 : WidthOf(code);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return width;
}

std::string FitWidth(std::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width <= 0) return "";
  size_t end = 0;
  int used = 0;
  while (end < text.size()) {
    char32_t code = 0;
    const size_t size = std::max<size_t>(NextCharacter(text.substr(end), &code), 1);
    if (used + WidthOf(code) > width - 1) break;
    used += WidthOf(code);
    end += size;
  }
  return std::string(text.substr(0, end)) + "…";
}

}  // namespace millrace::worker
