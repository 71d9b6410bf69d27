#pragma once

#include <string>
#include <string_view>

namespace millrace::worker {

// Position of the first byte that is not well-formed UTF-8 (RFC 3629), npos when all is.
size_t FindInvalidUtf8(std::string_view text);
// "invalid UTF-8 at byte 7".
std::string InvalidUtf8Message(size_t position);

// The byte order mark that some editors put in front of a file.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace millrace::worker
