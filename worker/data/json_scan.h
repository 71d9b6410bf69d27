#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// Steps over the simple parts of JSON text: ASCII strings without escapes, numbers and words. All
// functions may read up to 16 bytes behind `end`, but never look at them.
namespace millrace::worker {

inline const char* SkipJsonSpace(const char* at, const char* end) {
  while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
  return at;
}

inline bool IsPlainText(char c) {
  return static_cast<signed char>(c) >= 0x20 && c != '"' && c != '\\';
}

// The first byte that is a quote, a backslash, a control character or not ASCII, at most `end`.
inline const char* EndOfPlainText(const char* at, const char* end) {
#if defined(__SSE2__)
  for (; at < end; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // As signed numbers, bytes that are not ASCII lie below the space too.
    const __m128i stops = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                                       _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(stops));
    if (mask == 0) continue;
    at += __builtin_ctz(mask);
    return at < end ? at : end;
  }
  return end;
#else
  while (at < end && IsPlainText(*at)) ++at;
  return at;
#endif
}

// Behind the string, number or word that begins at `at`; nullptr for anything else, for escapes and
// for text that is not ASCII. Only what may stand in a number is checked, not its grammar.
inline const char* EndOfPlainScalar(const char* at, const char* end) {
  const auto word = [&](std::string_view text) -> const char* {
    const bool same = static_cast<size_t>(end - at) >= text.size() &&
                      std::memcmp(at, text.data(), text.size()) == 0;
    return same ? at + text.size() : nullptr;
  };
  if (at >= end) return nullptr;
  if (*at == '"') {
    at = EndOfPlainText(at + 1, end);
    return at < end && *at == '"' ? at + 1 : nullptr;
  }
  if (*at == 't') return word("true");
  if (*at == 'f') return word("false");
  if (*at == 'n') return word("null");
  if (*at != '-' && (*at < '0' || *at > '9')) return nullptr;
  while (at < end && ((*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '+' ||
                      *at == 'e' || *at == 'E'))
    ++at;
  return at;
}

}  // namespace millrace::worker
