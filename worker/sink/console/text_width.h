#pragma once

#include <string>
#include <string_view>

namespace millrace::worker {

// `text` made safe for a terminal: control characters, direction overrides and bytes that are not
// UTF-8 become visible escapes
// (\n, \t, \x1b, \u202e); a backslash stays as it is.
std::string EscapeForTerminal(std::string_view text);

// Columns that `text` takes on a terminal: 0 for combining marks, 2 for East Asian wide characters
// and emoji (Unicode 15, UAX 11, by blocks). Requires: escaped text.
int DisplayWidth(std::string_view text);

// The longest beginning of `text` within `width` columns; where something is cut, its last column
// is "…".
std::string FitWidth(std::string_view text, int width);

}  // namespace millrace::worker
