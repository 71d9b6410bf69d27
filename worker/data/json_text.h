#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "worker/data/arena.h"

// The parts of JSON values that decoders read from raw text.
namespace millrace::worker {

enum class NumberOutcome { kOk, kNotThis, kOutOfRange };

// RFC 8259 numbers, exactly: "01", "+1" and "1.0" are no ints. -0 is 0 as an int and -0.0 as a
// double.
NumberOutcome ParseJsonInt(std::string_view text, int64_t* value);
NumberOutcome ParseJsonUint(std::string_view text, uint64_t* value);
// Overflow is out of range; what is too small for a double is 0.
NumberOutcome ParseJsonDouble(std::string_view text, double* value);
// The same over text that may be in any form std::from_chars reads, but infinite or NaN.
NumberOutcome ParseDouble(std::string_view text, double* value);

// The string that stands between the quotes, its escapes resolved in `arena` when there are any.
// False for malformed escapes and lone surrogates.
bool UnescapeJson(std::string_view between_quotes, Arena* arena, std::string_view* value);

// How messages name a value: `string "x"`, `number 1.5`, "an object", "null".
std::string DescribeJson(std::string_view token);

inline std::string_view TrimJson(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace millrace::worker
