#pragma once

#include <string>
#include <string_view>

namespace millrace::worker {

inline constexpr int kMaxJsonDepth = 1024;

// What is wrong with a JSON text, or nothing.
struct JsonFault {
  const char* what = nullptr;  // null: the text is well-formed
  size_t position = 0;         // in bytes from the start of the text
  size_t end = 0;              // where the value ends, when it is well-formed

  bool ok() const { return what == nullptr; }
  // "not JSON: unexpected end at byte 17".
  std::string Message() const;
};

// Checks the whole text strictly (RFC 8259): one value, no trailing bytes, no byte order mark,
// nesting of at most kMaxJsonDepth, no lone surrogates. Linear; uses stack in proportion to the
// depth.
JsonFault CheckJson(std::string_view text);
// Checks the one value at the start of `text` and finds where it ends. Does not check UTF-8.
JsonFault CheckJsonValue(std::string_view text);

}  // namespace millrace::worker
