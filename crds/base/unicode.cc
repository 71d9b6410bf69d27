#include <algorithm>
#include <cstdio>

#include "crds/base/text.h"

namespace millrace {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes of the well-formed UTF-8 character at the front of `text` (Unicode 15, table 3-7); 0 when
// there is none.
size_t CharacterSize(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i, unsigned char low = 0x80, unsigned char high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  if (text.empty()) return 0;
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : 0xBF;
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void AppendEscaped(unsigned char c, std::string* out) {
  switch (c) {
    case '"':
      *out += "\\\"";
      return;
    case '\\':
      *out += "\\\\";
      return;
    case '\b':
      *out += "\\b";
      return;
    case '\f':
      *out += "\\f";
      return;
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
  char buffer[8];
  std::snprintf(buffer, sizeof buffer, "\\u%04x", c);
  *out += buffer;
}

bool NeedsEscape(unsigned char c) { return c < 0x20 || c == '"' || c == '\\' || c == 0x7f; }

// Bytes at the front of `text` that are printable ASCII and copied as they are.
size_t PlainPrefix(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const auto c = static_cast<unsigned char>(text[size]);
    if (c >= 0x80 || NeedsEscape(c)) break;
    ++size;
  }
  return size;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = CharacterSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

void AppendJsonQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    const size_t plain = PlainPrefix(text);
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text.front());
    const size_t size = CharacterSize(text);
    if (size == 0) {
      *out += kReplacement;
    } else if (size == 1) {
      AppendEscaped(c, out);
    } else {
      out->append(text.substr(0, size));
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out->push_back('"');
}

std::string JsonQuote(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendJsonQuoted(text, &out);
  return out;
}

std::string Excerpt(std::string_view text, size_t limit) {
  constexpr std::string_view kEllipsis = "...";
  std::string out;
  std::string piece;
  while (!text.empty()) {
    const size_t size = CharacterSize(text);
    const auto c = static_cast<unsigned char>(text.front());
    piece.clear();
    if (size == 0) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\x%02x", c);
      piece = buffer;
    } else if (size == 1 && (c < 0x20 || c == 0x7f)) {
      AppendEscaped(c, &piece);
    } else {
      piece = text.substr(0, size);
    }
    const size_t rest = text.size() - (size == 0 ? 1 : size);
    const size_t reserve = rest == 0 ? 0 : kEllipsis.size();
    if (out.size() + piece.size() + reserve > limit && out.size() + text.size() > limit) {
      return out.append(kEllipsis.substr(0, limit - std::min(limit, out.size())));
    }
    if (out.size() + piece.size() > limit)
      return out.append(kEllipsis.substr(0, limit - out.size()));
    out += piece;
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace millrace
